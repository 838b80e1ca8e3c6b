package main

import (
	"regexp"
	"sort"
	"strings"
)

const unexplained = "UNEXPLAINED"

// Formats of numbers, whose cel-go form takes no other number than their own; and sums of sums.
var wrongFormat = regexp.MustCompile(`%[.0-9]*[ef].*format\(`)
var bytesSums = regexp.MustCompile(`y \+ .* \+ `)

// Comparisons with what may be NaN, and lists whose order is that of a map.
var nanOperand = regexp.MustCompile(`&& .*[<>]=? .*\bd\b`)
var notOptional = regexp.MustCompile(`there is no (or\(|orValue\([^o])`)
var optionalField = regexp.MustCompile(`(?:null|[0-9]u?)(\.\?|\[\?)[^)]*\)\.orValue|[0-9]u?\.\?\w+\.orValue|[0-9]\[\?[^\]]*\]\.orValue`)
var hasOperand = regexp.MustCompile(`has\(.*&&|&&.*has\(`)
var twoKeys = regexp.MustCompile(`\{([^:{}]+): [^:{}]*, ([^:{}]+): `)
var mapAsList = regexp.MustCompile(`[mn}]\)?\.(filter|map|transformList)\(`)

// Known differences, each explained in docs/conditions.md, "Differences to cel-go". An expression
// is tested against them in this order.
var known = []struct {
	name string
	is   func(l line, theirs, why string) bool
}{
	{"a comparison with NaN is false", func(l line, theirs, why string) bool {
		return strings.Contains(why, "NaN values cannot be ordered") ||
			// An operand of && or || whose other error is the one reported.
			(theirs == "error" && l.R != "error" && l.V == 2 && nanOperand.MatchString(l.E))
	}},
	{"a key stands twice", func(l line, theirs, why string) bool {
		if theirs != "error" && strings.Contains(l.W, "stands in the map twice") {
			return true
		}
		// An operand of || or && whose other error is the one reported.
		keys := twoKeys.FindStringSubmatch(l.E)
		return l.R == "error" && theirs != "error" && keys != nil && keys[1] == keys[2]
	}},
	{"a type that is no key", func(l line, theirs, why string) bool {
		return theirs != "error" && strings.Contains(l.W, "key") ||
			strings.Contains(why, "invalid qualifier type") || strings.Contains(why, "unhashable type")
	}},
	{"minus of a duration", func(l line, theirs, why string) bool {
		return theirs != "error" && strings.Contains(l.W, "'-' for a value of type google.protobuf.Duration")
	}},
	{"has() and ?. of what has no fields", func(l line, theirs, why string) bool {
		return theirs != "error" && (strings.Contains(l.W, "has no fields") || strings.Contains(l.W, "has no index") ||
			// An operand of && whose other error is the one reported.
			(l.R == "error" && theirs == "false" && hasOperand.MatchString(l.E)) ||
			// The same where none() takes the second value.
			(l.R == "error" && (theirs == "true" || theirs == "false") && optionalField.MatchString(l.E)))
	}},
	{"an index past the end of a text", func(l line, theirs, why string) bool {
		return theirs != "error" && strings.Contains(strings.ToLower(l.E), "indexof(")
	}},
	{"the order of a map", func(l line, theirs, why string) bool {
		return sorted(l.R) == sorted(theirs) ||
			(l.R != "error" && theirs != "error" && mapAsList.MatchString(l.E))
	}},
	{"a format of another type", func(l line, theirs, why string) bool {
		return strings.Contains(theirs, "2521") || // "%!"
			(theirs != "error" && wrongFormat.MatchString(l.E))
	}},
	{"what is constant is looked at when the condition is compiled", func(l line, theirs, why string) bool {
		return strings.Contains(l.W, "there is no time zone") || strings.Contains(why, "ERROR: <input>") &&
			(strings.Contains(why, "supplied to string.format") || strings.Contains(why, "error during formatting") ||
				strings.Contains(why, "could not parse formatting clause"))
	}},
	{"types that the checker leaves open", func(l line, theirs, why string) bool {
		return l.R != "error" && strings.Contains(why, "ERROR: <input>") &&
			(strings.Contains(why, "simple literal arguments") || l.C && (strings.Contains(why, "found no matching overload") ||
				strings.Contains(why, "does not support field selection")))
	}},
	{"optFlatMap() of what is no optional", func(l line, theirs, why string) bool {
		return theirs != "error" && strings.Contains(l.E, "optFlatMap") && strings.Contains(l.W, "no such overload")
	}},
	{"or() and orValue() of what is no optional", func(l line, theirs, why string) bool {
		return theirs != "error" && notOptional.MatchString(l.W)
	}},
	{"types that the checker does not leave open", func(l line, theirs, why string) bool {
		return l.C && theirs != "error" && (strings.Contains(l.W, "there is no 'in' between double and list(int)") ||
			strings.Contains(l.W, "there is no '==' between bool and double") ||
			strings.Contains(l.W, "both results of '?:' must be of one type"))
	}},
	{"two minus signs", func(l line, theirs, why string) bool {
		return theirs != "error" && strings.Contains(l.E, "--") && strings.Contains(l.W, "there is no '-' for a value")
	}},
	{"the zero of a timestamp", func(l line, theirs, why string) bool {
		return l.R == "o()" && strings.HasPrefix(theirs, "o(t:") && strings.Contains(l.E, "ofNonZeroValue")
	}},
	{"the least int, remainder by -1", func(l line, theirs, why string) bool {
		return why == "integer overflow" && strings.Contains(l.E, " % ")
	}},
	{"int() of a duration", func(l line, theirs, why string) bool {
		return theirs != "error" && strings.Contains(l.W, "there is no int(google.protobuf.Duration)")
	}},
	{"a timestamp in small letters", func(l line, theirs, why string) bool {
		return l.R != "error" && strings.Contains(why, "from 'string' to 'google.protobuf.Timestamp'") &&
			strings.Contains(l.E, "lowerAscii")
	}},
	{"the text of an optional", func(l line, theirs, why string) bool {
		return strings.Contains(why, "was given optional_type")
	}},
	{"a literal that the minus in front of it makes too large", func(l line, theirs, why string) bool {
		return strings.Contains(why, "invalid int literal") && strings.Contains(l.E, "--9223372036854775808")
	}},
	{"a type inside an optional is a string", func(l line, theirs, why string) bool {
		return strings.Contains(theirs, "o(s:") && strings.Contains(l.R, "o(k:")
	}},
	{"cel-go writes one sum of bytes over another", func(l line, theirs, why string) bool {
		return l.R != "error" && theirs != "error" && bytesSums.MatchString(l.E)
	}},
	{"the text of a double", func(l line, theirs, why string) bool {
		return strings.Contains(l.E, "string(")
	}},
}

func sorted(s string) string {
	b := strings.Split(s, "")
	sort.Strings(b)
	return strings.Join(b, "")
}

func explain(l line, theirs, why string) string {
	for _, k := range known {
		if k.is(l, theirs, why) {
			return k.name
		}
	}
	return unexplained
}
