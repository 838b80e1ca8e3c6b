# Splits C source for the checks of lint.sh. Lines of output, separated by tabs:
#     C  file:line  code without comments, the contents of literals blanked
#     S  file:line  a string literal, adjacent ones joined
#     I  file:line  what an #include names, with its quotes or brackets
# A file whose line holds "lint: not SQL" has no S for literals that begin there or on the next one.

function flush_text() {
    if (text_line > 0 && !(text_line in excused) && !((text_line - 1) in excused))
        printf "S\t%s:%d\t%s\n", file, text_line, text
    text = ""
    text_line = 0
}

function end_file() {
    flush_text()
    in_comment = in_string = 0
    split("", excused)
}

FNR == 1 {
    if (NR > 1) end_file()
    file = FILENAME
    in_comment = in_string = text_line = 0
}

{
    line = $0
    if (index(line, "lint: not SQL") > 0) excused[FNR] = 1
    if (!in_comment && match(line, /^[ \t]*#[ \t]*include[ \t]*["<][^">]*[">]/)) {
        name = substr(line, RSTART, RLENGTH)
        sub(/^[ \t]*#[ \t]*include[ \t]*/, "", name)
        printf "I\t%s:%d\t%s\n", file, FNR, name
        next
    }
    code = ""
    n = length(line)
    for (i = 1; i <= n; i++) {
        c = substr(line, i, 1)
        two = substr(line, i, 2)
        if (in_comment) {
            if (two == "*/") { in_comment = 0; i++ }
        } else if (in_string) {
            if (c == "\\") { text = text two; i++ }
            else if (c == "\"") { in_string = 0; code = code c }
            else text = text c
        } else if (two == "/*") { in_comment = 1; i++ }
        else if (two == "//") break
        else if (c == "\"") {
            if (text_line == 0) text_line = FNR
            in_string = 1
            code = code c
        } else if (c == "'") {
            code = code "' '"
            for (i++; i <= n && substr(line, i, 1) != "'"; i++)
                if (substr(line, i, 1) == "\\") i++
        } else {
            # PRIu64 and its like stand between literals that are one
            if (c !~ /[ \tA-Za-z0-9_\\]/) flush_text()
            code = code c
        }
    }
    if (code ~ /[^ \t]/) printf "C\t%s:%d\t%s\n", file, FNR, code
}

END { end_file() }
