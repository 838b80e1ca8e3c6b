// Compares matches() with RE2's meaning, as Go's regexp has it:
//
//	patterns SEED COUNT | regexes
//
// reads what tests/condition/program/patterns.c prints and prints each difference, a tab between its
// parts: why that is so (or "UNEXPLAINED"), the pattern, ours, Go's. At last it prints how many of
// which kind there were; any that is not explained makes the exit code 1. "regexes answers" prints
// Go's answers alone, as they stand in tests/condition/regexes.txt.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"sort"
	"strings"
)

type line struct {
	P string
	S []string
	R string
	W string
}

func answers(l line) (string, string) {
	re, err := regexp.Compile(l.P)
	if err != nil {
		return "refused", err.Error()
	}
	var b strings.Builder
	for _, s := range l.S {
		if re.MatchString(s) {
			b.WriteByte('y')
		} else {
			b.WriteByte('n')
		}
	}
	return b.String(), ""
}

// What is refused here on purpose; docs/conditions.md says why.
var refusedHere = []struct{ message, why string }{
	{"there is no character of this number", "a surrogate is no character"},
	{"groups are nested too deeply", "a limit"},
	{"too large", "a limit"},
	{"unknown Unicode property", "a property that Go's Unicode knows"},
	{"there is nothing to repeat here", "a repeat behind flags"},
	{"this property does not go with (?i)", "a property with (?i)"},
}

func explain(l line, theirs string) string {
	if l.R == "refused" {
		for _, k := range refusedHere {
			if strings.Contains(l.W, k.message) {
				return k.why
			}
		}
		return "UNEXPLAINED"
	}
	if theirs == "refused" {
		return "UNEXPLAINED"
	}
	for i := range l.S {
		if l.R[i] != theirs[i] && l.R[i] != 'e' {
			return "UNEXPLAINED"
		}
	}
	return "a limit was reached"
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 1<<20)
	out := bufio.NewWriter(os.Stdout)
	kinds, all, same, refused := map[string]int{}, 0, 0, 0
	for in.Scan() {
		var l line
		if err := json.Unmarshal(in.Bytes(), &l); err != nil {
			fmt.Fprintln(os.Stderr, "regexes:", err)
			os.Exit(2)
		}
		theirs, why := answers(l)
		if len(os.Args) > 1 {
			fmt.Fprintf(out, "%s\t%s\n", theirs, l.P)
			continue
		}
		all++
		if theirs == "refused" {
			refused++
		}
		if theirs == l.R {
			same++
			continue
		}
		kind := explain(l, theirs)
		kinds[kind]++
		fmt.Fprintf(out, "%s\t%s\t%q\t%s %s\t%s %s\n", kind, l.P, l.S, l.R, l.W, theirs, why)
	}
	if len(os.Args) > 1 {
		out.Flush()
		return
	}
	fmt.Fprintf(out, "%d patterns: %d the same (%d of them refused)\n", all, same, refused)
	var names []string
	for name := range kinds {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(out, "%7d %s\n", kinds[name], name)
	}
	out.Flush()
	if kinds["UNEXPLAINED"] > 0 {
		os.Exit(1)
	}
}
