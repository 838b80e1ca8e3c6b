/*
 * limits - every bound of the project that is not one module's own, with its reason. Each has a
 * test at the bound and one past it.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define LIMIT_BODY_BYTES (1u << 20)    /* an HTTP request: a flag with many domain rules */
#define LIMIT_REPLY_BYTES (256u << 20) /* an HTTP reply we read: a ruleset */
#define LIMIT_URL_BYTES 2048u          /* what every proxy lets pass */
#define LIMIT_CONNECTIONS 4096         /* of one server; libmicrohttpd's default hangs at 1,020 */
#define LIMIT_KEY_BYTES 128u           /* flag, variant, rule and segment names */
#define LIMIT_RULES 256u               /* rules of one flag */
#define LIMIT_VARIANTS 64u             /* variants of one flag */
#define LIMIT_FLAGS 10000u             /* flags of one environment */
#define LIMIT_ENVIRONMENTS 32u         /* of one server: each holds the state of every flag */
#define LIMIT_DOMAIN_RULES 1000000u    /* domain rules of one flag */
#define LIMIT_DOMAIN_SERVES 4096u      /* different ways in which these serve */
#define LIMIT_SEGMENTS 1000u           /* segments of one environment */
#define LIMIT_SEGMENT_KEYS 100000u     /* keys, and as many domains, of one segment */
#define LIMIT_SEGMENT_DEPTH 8u         /* segments that ask segments: each takes 4 KiB of stack */
#define LIMIT_PREREQUISITES 16u        /* of one flag */
#define LIMIT_PREREQUISITE_FLAGS 64u   /* evaluations that one evaluation may ask for in all */
#define LIMIT_SPLIT_RANGES 256u  /* ranges of one split: those that changes of weights leave */
#define LIMIT_LAYERS 100u        /* layers of one environment */
#define LIMIT_SCHEDULES 1000u    /* changes of one environment that are still to come */
#define LIMIT_LAYER_RANGES 1000u /* ranges of one layer */
#define LIMIT_CONDITION_BYTES (16u << 10) /* source of one condition */
#define LIMIT_CONTEXT_BYTES (64u << 10)   /* an evaluation context */
#define LIMIT_MIGRATION_BYTES (16u << 20) /* one SQL file */
#define LIMIT_MIGRATIONS 9999u            /* four digits */

#endif
