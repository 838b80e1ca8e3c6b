/*
 * lexer - CEL source to tokens, one at a time. Literals are decoded here.
 */
#ifndef CONDITION_LEXER_H
#define CONDITION_LEXER_H

#include "condition/condition.h"
#include "condition/pool.h"

struct cel_compiler;

enum cel_token_kind {
    TOKEN_END,
    TOKEN_IDENT,   /* text; reserved words too, with reserved set */
    TOKEN_QUOTED,  /* `back-quoted field` */
    TOKEN_INT,     /* value.as.u is the magnitude: the parser owns the sign */
    TOKEN_LITERAL, /* value: uint, double, string, bytes, bool, null */
    TOKEN_IN,
    TOKEN_OPERATOR /* op: one of the characters below, or a pair */
};

/* Operators of two characters, beside the single ones that stand for themselves. */
enum { OP_EQ = 256, OP_NE, OP_LE, OP_GE, OP_AND, OP_OR };

struct cel_token {
    enum cel_token_kind kind;
    bool reserved;
    int op;
    uint32_t from, to;
    struct cel_text text;
    struct condition_value value;
};

struct cel_lexer {
    uint32_t at;            /* next byte to read */
    struct cel_token token; /* the one looked at */
};

/* Reads the next token into c->lexer.token; false after an error (recorded). */
bool cel_lex(struct cel_compiler *c);

#endif
