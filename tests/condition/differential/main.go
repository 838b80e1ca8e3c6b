// Compares the condition engine with cel-go:
//
//	expressions SEED COUNT | differential
//
// reads what tests/condition/program/expressions.c prints, evaluates every expression with cel-go
// and prints each that comes to something else, a tab between its parts: why that is so (or
// "UNEXPLAINED"), the expression, the set of variables, ours, theirs. At last it prints how many
// of which kind there were; any that is not explained makes the exit code 1.
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"sort"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/ext"
)

type header struct {
	Vars []struct {
		Name, Type string
		Sources    []string
	}
}

type line struct {
	E string
	V int
	C bool
	R string
	W string
}

var typeOf = map[string]*cel.Type{
	"bool": cel.BoolType, "int": cel.IntType, "uint": cel.UintType, "double": cel.DoubleType,
	"string": cel.StringType, "bytes": cel.BytesType, "dyn": cel.DynType,
	"list(int)": cel.ListType(cel.IntType), "list(string)": cel.ListType(cel.StringType),
	"map(string, int)":          cel.MapType(cel.StringType, cel.IntType),
	"map(int, string)":          cel.MapType(cel.IntType, cel.StringType),
	"google.protobuf.Timestamp": cel.TimestampType, "google.protobuf.Duration": cel.DurationType,
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "differential:", err)
		os.Exit(2)
	}
}

// A value as write_result() of expressions.c writes it.
func text(v ref.Val) string {
	switch v := v.(type) {
	case types.Null:
		return "null"
	case types.Bool:
		return fmt.Sprint(bool(v))
	case types.Int:
		return fmt.Sprintf("i:%d", int64(v))
	case types.Uint:
		return fmt.Sprintf("u:%d", uint64(v))
	case types.Double:
		if math.IsNaN(float64(v)) {
			return "d:nan"
		}
		return fmt.Sprintf("d:%016x", math.Float64bits(float64(v)))
	case types.String:
		return "s:" + hex.EncodeToString([]byte(v))
	case types.Bytes:
		return "y:" + hex.EncodeToString([]byte(v))
	case types.Timestamp:
		return fmt.Sprintf("t:%d.%09d", v.Unix(), v.Nanosecond())
	case types.Duration:
		return fmt.Sprintf("r:%d", v.Nanoseconds())
	case *types.Optional:
		if !v.HasValue() {
			return "o()"
		}
		return "o(" + text(v.GetValue()) + ")"
	case traits.Mapper:
		var entries []string
		for it := v.Iterator(); it.HasNext() == types.True; {
			key := it.Next()
			entries = append(entries, text(key)+"="+text(v.Get(key))+",")
		}
		sort.Strings(entries)
		return "{" + strings.Join(entries, "") + "}"
	case traits.Lister:
		var b strings.Builder
		b.WriteString("[")
		for it := v.Iterator(); it.HasNext() == types.True; {
			b.WriteString(text(it.Next()) + ",")
		}
		return b.String() + "]"
	case ref.Type:
		return "k:" + v.TypeName()
	}
	return fmt.Sprintf("?%T", v)
}

type engine struct {
	env  *cel.Env
	sets []map[string]any
}

func newEngine(h header) *engine {
	options := []cel.EnvOption{cel.OptionalTypes(), cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true), ext.Strings(), ext.Math(), ext.Encoders(), ext.Bindings(),
		ext.TwoVarComprehensions()}
	for _, v := range h.Vars {
		t, known := typeOf[v.Type]
		if !known {
			check(fmt.Errorf("no type %q", v.Type))
		}
		options = append(options, cel.Variable(v.Name, t))
	}
	env, err := cel.NewEnv(options...)
	check(err)
	e := &engine{env: env}
	for set := range h.Vars[0].Sources {
		values := map[string]any{}
		for _, v := range h.Vars {
			ast, issues := env.Compile(v.Sources[set])
			check(issues.Err())
			program, err := env.Program(ast)
			check(err)
			value, _, err := program.Eval(map[string]any{})
			check(err)
			values[v.Name] = value
		}
		e.sets = append(e.sets, values)
	}
	return e
}

// The result, and the reason of an error.
func (e *engine) evaluate(l line) (result, why string) {
	defer func() {
		if p := recover(); p != nil {
			result, why = "panic", fmt.Sprint(p)
		}
	}()
	var ast *cel.Ast
	var issues *cel.Issues
	if l.C {
		ast, issues = e.env.Compile(l.E)
	} else {
		ast, issues = e.env.Parse(l.E)
	}
	if issues.Err() != nil {
		return "error", strings.ReplaceAll(issues.Err().Error(), "\n", " ")
	}
	program, err := e.env.Program(ast)
	if err != nil {
		return "error", err.Error()
	}
	value, _, err := program.Eval(e.sets[l.V])
	if err != nil {
		return "error", err.Error()
	}
	return text(value), ""
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	if !in.Scan() {
		check(fmt.Errorf("no input"))
	}
	var h header
	check(json.Unmarshal(in.Bytes(), &h))

	lines := make(chan line, 256)
	var mutex sync.Mutex
	var wait sync.WaitGroup
	counts := map[string]int{}
	total, same, errors := 0, 0, 0
	for i := 0; i < runtime.NumCPU(); i++ {
		e := newEngine(h)
		wait.Add(1)
		go func() {
			defer wait.Done()
			for l := range lines {
				theirs, why := e.evaluate(l)
				mutex.Lock()
				total++
				if l.R == theirs {
					same++
					if theirs == "error" {
						errors++
					}
				} else {
					reason := explain(l, theirs, why)
					counts[reason]++
					fmt.Printf("%s\t%s\t%d %v\t%s %s\t%s %s\n", reason, l.E, l.V, l.C, l.R, l.W, theirs, why)
				}
				mutex.Unlock()
			}
		}()
	}
	for in.Scan() {
		var l line
		check(json.Unmarshal(in.Bytes(), &l))
		lines <- l
	}
	check(in.Err())
	close(lines)
	wait.Wait()
	fmt.Printf("%d expressions: %d the same (%d of them errors)\n", total, same, errors)
	for reason, n := range counts {
		fmt.Printf("%7d %s\n", n, reason)
	}
	if total == 0 || counts[unexplained] > 0 {
		os.Exit(1)
	}
}
