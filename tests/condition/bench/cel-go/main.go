// Times cel-go on the rules of bench_condition:
//
//	cel-go CONTEXTS.json
//
// Prints "cel-go FORM NS" lines, the median of nine rounds; the forms take turns.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
)

const (
	rounds  = 9
	roundNs = 4e6
)

type customer struct {
	Domain, Plan, Email string
	Version             int64
}

type rules struct {
	Forms []struct {
		Name, Source string
		Holds        bool
	}
	Hits, Misses []customer
}

type work struct {
	name     string
	holds    bool
	program  cel.Program
	contexts []map[string]any
	times    int
	ns       []float64
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "cel-go:", err)
		os.Exit(1)
	}
}

func contexts(who []customer) []map[string]any {
	out := []map[string]any{}
	for _, c := range who {
		out = append(out, map[string]any{
			"domain": c.Domain, "plan": c.Plan, "email": c.Email, "version": c.Version,
		})
	}
	return out
}

func (w *work) once() float64 {
	yes := 0
	began := time.Now()
	for i := 0; i < w.times; i++ {
		value, _, err := w.program.Eval(w.contexts[i&15])
		check(err)
		if value == types.True {
			yes++
		}
	}
	ns := float64(time.Since(began).Nanoseconds())
	if (w.holds && yes != w.times) || (!w.holds && yes != 0) {
		check(fmt.Errorf("wrong answers for %s", w.name))
	}
	return ns
}

func main() {
	text, err := os.ReadFile(os.Args[1])
	check(err)
	var r rules
	check(json.Unmarshal(text, &r))
	env, err := cel.NewEnv(cel.Variable("domain", cel.StringType), cel.Variable("plan", cel.StringType),
		cel.Variable("email", cel.StringType), cel.Variable("version", cel.IntType))
	check(err)
	var works []*work
	for _, form := range r.Forms {
		ast, issues := env.Compile(form.Source)
		check(issues.Err())
		// Constant patterns are compiled once, constant lists become sets.
		program, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize))
		check(err)
		who := r.Misses
		if form.Holds {
			who = r.Hits
		}
		works = append(works, &work{name: form.Name, holds: form.Holds, program: program,
			contexts: contexts(who), times: 64})
	}
	for _, w := range works {
		for w.once() < roundNs {
			w.times *= 2
		}
	}
	for round := 0; round < rounds; round++ {
		for _, w := range works {
			w.ns = append(w.ns, w.once()/float64(w.times))
		}
	}
	for _, w := range works {
		sort.Float64s(w.ns)
		fmt.Printf("cel-go %s %.3f\n", w.name, w.ns[rounds/2])
	}
}
