// Turns the official CEL cases of npm's @bufbuild/cel-spec into a file for `condition test`:
//
//     node official.mjs FOLDER/node_modules/@bufbuild/cel-spec >cases.json
//
// What needs protobuf (messages, enums, wrappers, Any) is left out; how many stands on stderr.
import { pathToFileURL } from "node:url";

const { tests } = await import(pathToFileURL(`${process.argv[2]}/dist/esm/testdata/conformance.js`));
const protobuf = /TestAllTypes|TestRequired|Nested(Test)?(AllTypes|Enum|Message)|GlobalEnum|google\.(protobuf\.(?!Timestamp\b|Duration\b|type\b)\w|type)|\bproto\.|cel\.(@|block|index|iterVar|accuVar)|\b(Value|Struct|ListValue|Any)\s*\{/;

class LeftOut extends Error {}

let negativeZero = false; // the package writes -0 as 0

function time(text) {
    const [, date, digits = ""] = /^([^.Z]+)(?:\.(\d+))?Z$/.exec(text);
    return [String(BigInt(Date.parse(`${date}Z`)) / 1000n), Number(digits.padEnd(9, "0"))];
}

function span(text) {
    const [, sign, seconds, digits = ""] = /^(-?)(\d+)(?:\.(\d+))?s$/.exec(text);
    const nanos = Number(digits.padEnd(9, "0"));
    return [sign + seconds, sign ? -nanos : nanos];
}

function value(v) {
    const [kind, of] = Object.entries(v)[0] ?? [];
    switch (kind) {
        case "nullValue": return { null: null };
        case "boolValue": return { bool: of };
        case "int64Value": return { int: String(of) };
        case "uint64Value": return { uint: String(of) };
        case "doubleValue": return { double: of === 0 && negativeZero ? "-0.0" : String(of) };
        case "stringValue": return { string: of };
        case "bytesValue": return { bytes: of };
        case "typeValue": return { type: of };
        case "listValue": return { list: (of.values ?? []).map(value) };
        case "mapValue": return { map: (of.entries ?? []).map((e) => [value(e.key), value(e.value)]) };
        case "objectValue":
            if (of["@type"].endsWith("/google.protobuf.Timestamp")) return { timestamp: time(of.value) };
            if (of["@type"].endsWith("/google.protobuf.Duration")) return { duration: span(of.value) };
    }
    throw new LeftOut(kind);
}

const primitives = { BOOL: "bool", INT64: "int", UINT64: "uint", DOUBLE: "double", STRING: "string", BYTES: "bytes" };

function type(t) {
    const [kind, of] = Object.entries(t)[0] ?? [];
    switch (kind) {
        case "dyn": return "dyn";
        case "null": return "null_type";
        case "primitive": return primitives[of];
        case "typeParam": return of;
        case "listType": return `list(${type(of.elemType)})`;
        case "mapType": return `map(${type(of.keyType)}, ${type(of.valueType)})`;
        case "abstractType": return `${of.name}(${(of.parameterTypes ?? []).map(type).join(", ")})`;
        case "type": return "type";
        case "wellKnown":
            if (of === "TIMESTAMP") return "google.protobuf.Timestamp";
            if (of === "DURATION") return "google.protobuf.Duration";
    }
    throw new LeftOut(kind);
}

function declaration(d) {
    if (d.ident) return { name: d.name, type: type(d.ident.type) };
    const overload = (o) => ({ params: (o.params ?? []).map(type), result: type(o.resultType), method: !!o.isInstanceFunction });
    return { name: d.name, function: d.function.overloads.map(overload) };
}

function expected(t) {
    if (t.evalError || t.anyEvalErrors || t.unknown || t.anyUnknowns) {
        if (t.unknown || t.anyUnknowns) throw new LeftOut("unknowns");
        return { error: t.evalError?.errors?.[0]?.message ?? "error" };
    }
    if (t.typedResult && t.checkOnly) return { type: type(t.typedResult.deducedType) };
    if (t.typedResult?.result) return { value: value(t.typedResult.result) };
    return { value: value(t.value ?? { boolValue: true }) };
}

const out = [];
let left = 0;

function walk(suite, path) {
    for (const { original: t } of suite.tests ?? []) {
        negativeZero = /neg(ative)?_zero/.test(t.name ?? "");
        try {
            if (protobuf.test(JSON.stringify(t.expr)) || t.disableMacros || /proto|enums|wrappers|unknowns/.test(path.join("/")))
                throw new LeftOut("protobuf");
            const one = { suite: path[0] ?? "", section: path.slice(1).join("/"), name: t.name ?? t.expr, tier: 1, expr: t.expr, expect: expected(t) };
            if (t.bindings) one.bindings = Object.fromEntries(Object.entries(t.bindings).map(([k, v]) => [k, value(v.value)]));
            if (t.typeEnv) one.type_env = t.typeEnv.map(declaration);
            if (t.container) one.container = t.container;
            if (t.disableCheck) one.disable_check = true;
            if (t.checkOnly) one.check_only = true;
            out.push(one);
        } catch (e) {
            if (!(e instanceof LeftOut)) throw e;
            left++;
        }
    }
    for (const s of suite.suites ?? []) walk(s, [...path, s.name]);
}

walk({ ...tests, name: "" }, []);
console.log(JSON.stringify({ tests: out }, null, 1));
console.error(`${out.length} cases, ${left} left out (they need protobuf)`);
