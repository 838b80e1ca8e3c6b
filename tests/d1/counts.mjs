// What plan says of requests and rows written, beside what the service counts, within 10 %; and how
// long plan says it takes at the rate that the API permits, beside a run at that rate.
import { Engine, Project, same } from "./rig.mjs";

const kinds = {
  add: [500, { table: "c", add: { b: { type: "TEXT" } }, forward: { b: "upper(a)" } }],
  add_20000: [20000, { table: "c", add: { b: { type: "TEXT" } }, forward: { b: "upper(a)" } }],
  add_100000: [100000, { table: "c", add: { b: { type: "TEXT" } }, forward: { b: "upper(a)" } }],
  index: [5000, { table: "c", add: { b: { type: "TEXT" } }, forward: { b: "upper(a)" }, create_index: ["CREATE INDEX cb ON c(b)"] }],
  split: [5000, {
    table: "c", add: { b: { type: "TEXT" }, d: { type: "TEXT" } }, forward: { b: "substr(a, 1, instr(a, '@') - 1)", d: "substr(a, instr(a, '@') + 1)" },
    drop: ["a"], reverse: { a: "b || '@' || d" },
  }],
  rename: [500, { table: "c", rename: { a: "b" } }],
  drop: [5000, { table: "c", drop: ["z"], lossy: true }],
  create_table: [500, { create_table: "CREATE TABLE d(id INTEGER PRIMARY KEY)" }],
  drop_table: [20000, { drop_table: "c" }],
  rename_table: [20000, { table: "c", rename_table: "d" }],
};
const states = ["expanded", "dual-writing", "in-sync", "contracted", "purged"];
const within = (wanted, seen) => Math.abs(seen - wanted) <= 0.1 * Math.max(wanted, seen);

async function make(engine, name, rows, json) {
  const project = new Project(engine, name);
  project.write("0001_init.sql", `CREATE TABLE c(id INTEGER PRIMARY KEY, a TEXT, z TEXT);
INSERT INTO c(a) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) SELECT 'x' || i || '@y.com' FROM n;\n`);
  project.write("0002_x/migration.json", { ...json, old_writes_idle: "0s" });
  await project.exits(`${name}: the table`, 0, "apply", "0001");
  const { out } = await project.run(["plan", "0002", "--to", "purged", "--json"]);
  return [project, JSON.parse(out).migrations.find((m) => m.name.startsWith("0002")).cost];
}

async function count(engine, name, rows, json) {
  const [project, said] = await make(engine, name, rows, json);
  await engine.provoke();
  for (const state of states) await project.exits(`${name}: ${state}`, 0, "apply", "--to", state, "--recovery-point", "none");
  const seen = await engine.provoke();
  same(`${name}: ${said.requests} requests planned, ${seen.requests} sent`, true, within(said.requests, seen.requests));
  same(`${name}: ${said.rows_written} rows planned, ${seen.rows_written} written`, true, within(said.rows_written, seen.rows_written));
  return `${name} ${said.requests}/${seen.requests} requests, ${said.rows_written}/${seen.rows_written} rows`;
}

// At a hundredth of a second for each request that D1 allows in five minutes: 4 a second are 400.
async function at_rate(engine) {
  const [project, said] = await make(engine, "at_rate", 5000, kinds.split[1]), faster = 5;
  await engine.provoke({ every_ms: 300000 / 1200 / faster });
  const began = performance.now();
  for (const state of states) await project.exits(`at the rate: ${state}`, 0, "apply", "--to", state, "--recovery-point", "none");
  const took = ((performance.now() - began) / 1000) * faster;
  await engine.provoke({ every_ms: 0 });
  same(`${said.seconds} s planned at the rate, ${took.toFixed(0)} s taken`, true, within(said.seconds, took));
  return `${said.seconds}/${took.toFixed(0)} s at the permitted rate`;
}

export default async function () {
  const engine = await Engine.start([...Object.keys(kinds), "at_rate"]), told = [];
  for (const [name, [rows, json]] of Object.entries(kinds)) told.push(await count(engine, name, rows, json));
  told.push(await at_rate(engine));
  console.log(`planned/counted: ${told.join("; ")}`);
  await engine.stop();
}
