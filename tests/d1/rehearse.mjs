// `migrate rehearse` on D1: the rows come by key range, every value as it is, while an application writes;
// nothing is written there, and memory does not grow with the table. Then the whole
// walk, there and back, on the copy.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { Engine, Project, build, matches, run, same, work } from "./rig.mjs";

const odd = `CREATE TABLE Odd(a INTEGER PRIMARY KEY, v, t TEXT COLLATE NOCASE, r REAL, b BLOB, g AS (a + 1), "it's ""odd""" TEXT);
INSERT INTO Odd(a, v, t, r, b, "it's ""odd""") VALUES(-9223372036854775808, 9223372036854775807, 'a''b' || char(0) || 'c', -0.0, x'00ff00', 'q'), (0, 9007199254740993, char(128512), 1e308, x'', NULL), (7, -1.5, '', 9e999, zeroblob(3), ''), (9223372036854775807, '12', CAST(x'ff41' AS TEXT), 0.1, NULL, 'z');
CREATE TABLE Keyed(k TEXT COLLATE NOCASE, n INTEGER, v, PRIMARY KEY(k, n DESC)) WITHOUT ROWID;
INSERT INTO Keyed WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000) SELECT 'k' || (i % 50), i, i * 1.5 FROM n;
CREATE TABLE Counted(id INTEGER PRIMARY KEY AUTOINCREMENT, v);
INSERT INTO Counted(id, v) VALUES(5000, 'gone'), (3, 'x'); DELETE FROM Counted WHERE id = 5000;
CREATE TABLE Loose(v); INSERT INTO Loose(rowid, v) VALUES(17, 'a'), (-3, 'b');
CREATE TABLE Parent(id INTEGER PRIMARY KEY, v TEXT);
CREATE TABLE Child(id INTEGER PRIMARY KEY, p INTEGER REFERENCES Parent(id) ON DELETE CASCADE);
INSERT INTO Parent WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000) SELECT i, 'p' || i || '@d' || (i % 9) || '.com' FROM n;
INSERT INTO Child SELECT id, id FROM Parent;
CREATE INDEX ParentV ON Parent(v);
CREATE VIEW Both AS SELECT v, p FROM Parent JOIN Child ON p = Parent.id;
CREATE TRIGGER ParentGone AFTER DELETE ON Parent BEGIN DELETE FROM Loose WHERE v = OLD.v; END;
CREATE VIRTUAL TABLE Found USING fts5(t); INSERT INTO Found VALUES('words');
`;
const tables = ["Odd", "Keyed", "Counted", "Loose", "Parent", "Child"];

async function rows_here(file, sql) {
  const { out, said, code } = await run("sqlite3", ["-json", file, sql]);
  same(`sqlite3: ${said.slice(0, 200)}`, 0, code);
  return JSON.parse(out || "[]").map(Object.values);
}

async function compare(project, file) {
  for (const table of tables) {
    const names = (await project.sql(`SELECT name FROM pragma_table_xinfo('${table}')`)).map(([name]) => `"${name.replaceAll('"', '""')}"`);
    if (table === "Loose" || table === "Counted") names.unshift("rowid");
    // text by its bytes, as quote() ends at a NUL; reals as both versions print them
    const value = (c) => `typeof(${c}) || ' ' || CASE typeof(${c}) WHEN 'text' THEN hex(${c}) WHEN 'null' THEN '' WHEN 'real' THEN printf('%.15g', ${c}) ELSE quote(${c}) END`;
    const sql = `SELECT ${names.map(value).join(" || '|' || ")} AS row FROM ${table} ORDER BY 1`;
    const [theirs, ours] = [await project.sql(sql), await rows_here(file, sql)];
    same(`${table}: as it is on D1`, [theirs.length, []], [ours.length, theirs.filter(([row], i) => row !== ours[i]?.[0]).slice(0, 3)]);
  }
  const objects = "SELECT type, name, sql FROM sqlite_master WHERE substr(name, 1, 5) NOT IN ('Found', '_cf_K', '_cf_M') AND name NOT LIKE 'sqlite%' ORDER BY 1, 2";
  same("the schema as it is on D1", await project.sql(objects), await rows_here(file, objects));
  same("what AUTOINCREMENT has given", [["Counted", 5000]], await rows_here(file, "SELECT name, seq FROM sqlite_sequence WHERE name = 'Counted'"));
}

async function values(engine) {
  const project = new Project(engine, "odd"), copy = join(work, "odd.db");
  project.write("0001_odd.sql", odd);
  await project.exits("the odd tables", 0, "apply", "0001");
  project.write("0002_domain/migration.json", {
    table: "Parent", add: { Domain: { type: "TEXT" } }, forward: { Domain: "substr(v, instr(v, '@') + 1)" }, drop: ["v"], reverse: { v: "'p' || id || '@' || Domain" },
    create_index: ["CREATE INDEX ParentDomain ON Parent(Domain)"], flag: "a-flag", gates: { contract: "flag.stable_for > duration('1h')" },
  });
  project.write("0003_keyed/migration.json", { table: "Keyed", rename: { v: "value" } });
  await project.sql("UPDATE lockstep_lock SET owner = 'somebody else', expires_at = 9e12"); // who works there is not minded
  await engine.provoke();
  const began = await project.schema();
  await run("true", []);
  const got = await project.run(["rehearse", "0002", "--keep", copy]);
  const told = await engine.provoke();
  same(`rehearsed: ${got.code === 3 ? "" : got.said}`, 3, got.code); // Parent.v is used by the view
  matches("what would be refused is said", /Both/, got.said);
  matches("a virtual table is left out", /left out: Found/, got.said);
  same("nothing is changed there", [0, began], [told.changes, await project.schema()]);
  rmSync(copy, { force: true });
  await project.sql("DROP VIEW Both; DROP TRIGGER ParentGone");
  const again = await project.run(["rehearse", "--keep", copy]);
  same(`rehearsed: ${again.code === 0 ? "" : again.said}`, 0, again.code);
  matches("there and back", /0002_domain: contracted -> in-sync[\s\S]*the way back: equal[\s\S]*0003_keyed: contracted -> purged[\s\S]*the way back: equal\nrehearsed; the database itself was only read/, again.said);
  same("a copy is never replaced", 3, (await project.run(["rehearse", "--keep", copy])).code);
  return told;
}

// The snapshot alone, of what has nothing to walk.
async function exact(engine) {
  const project = new Project(engine, "exact"), copy = join(work, "exact.db");
  await project.sql(odd);
  await project.exits("copied", 0, "rehearse", "--keep", copy);
  await compare(project, copy);
}

// 60,000 rows of 2 KB: 120 MB, in memory that would not hold a third of them, while others write.
async function large(engine) {
  const project = new Project(engine, "large"), copy = join(work, "large.db");
  await project.sql("CREATE TABLE Large(id INTEGER PRIMARY KEY, t TEXT); INSERT INTO Large WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) SELECT i, i || hex(zeroblob(1000)) FROM n;");
  await engine.provoke();
  let done = false, written = 0;
  const writing = (async () => {
    for (; !done; written++) await project.sql(`INSERT INTO Large(t) VALUES('new'); UPDATE Large SET t = t || 'x' WHERE id = ${1 + (written * 7919) % 60000}`);
  })();
  const args = ["-c", 'ulimit -v "$0" && exec "$@"', "220000", join(build, "migrate"), "rehearse", "--keep", copy];
  const got = await run("sh", args, { env: project.env });
  done = true;
  await writing;
  const { requests, changes } = await engine.provoke();
  same(`a large table in 220 MB: ${got.code === 0 ? "" : got.said}`, 0, got.code);
  same("all rows are there", [[60000]], await rows_here(copy, "SELECT count(*) FROM Large WHERE length(t) > 2000 AND id <= 60000"));
  same("others wrote meanwhile", true, written > 20);
  same("nothing is changed there", 0, changes);
  return `120 MB in ${requests} requests and ${(got.ms / 1000).toFixed(1)} s, while others wrote ${written} times`;
}

export default async function () {
  const engine = await Engine.start(["odd", "exact", "large"]);
  const { requests } = await values(engine);
  await exact(engine);
  console.log(`rehearsal: 42,000 rows of odd tables in ${requests} requests; ${await large(engine)}`);
  await engine.stop();
}
