// The case folders of tests/migrator/cases on D1's own engine: each operation on columns, tables and
// indexes, and hand-written SQL, forth and back, with old and new code writing, compared with what is
// seen on a file (seen.txt); and what is refused. What D1 cannot do must be refused by plan.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Engine, Project, here, same } from "./rig.mjs";

const folder = join(here, "../migrator/cases");
const text_of = (name, file) => (existsSync(join(folder, name, file)) ? readFileSync(join(folder, name, file), "utf8") : "");
const hand_files = ["expand.sql", "expand.down.sql", "dual_write.sql", "dual_write.down.sql", "backfill.sql", "verify.sql", "contract.sql", "contract.down.sql"];
// Why D1 refuses what a file does not (docs/d1.md).
const d1_only = /cannot loosen that in place|cannot change a table's text in place/;

// What D1 alone refuses is walked without it, under another name: NULL allowed in the old table, and
// nothing declared of what is added.
const bare = "~";
const name_of = (database) => database.replace(bare, "");
const has_bare = (name) => !/"(alter|default)"/.test(text_of(name, "migration.json")) && !/ON CONFLICT/.test(text_of(name, "old.sql"));
const bare_sql = (text) => text.replace(/ NOT NULL( ON CONFLICT \w+)?/g, "");
function bare_json(text) {
  const json = JSON.parse(text);
  for (const one of [...Object.values(json.add ?? {}), ...Object.values(json.retype ?? {})]) {
    for (const member of ["not_null", "check", "default"]) delete one[member];
  }
  return json;
}

// The case's folder of migrations, for the database of that name.
export function begin(engine, database, name = name_of(database)) {
  const project = new Project(engine, database), json = text_of(name, "migration.json");
  project.write("0007_case/migration.json", database.endsWith(bare) ? bare_json(json) : json);
  for (const file of hand_files) {
    if (text_of(name, file) !== "") project.write(`0007_case/${file}`, text_of(name, file));
  }
  return project;
}

// Rows as the tests of the file print them: each value as text, "~" for NULL.
async function rows_of(project, text) {
  let all = "";
  for (const query of text.split(/;(?=(?:[^']*'[^']*')*[^']*$)/)) if (query.trim() !== "") all += await rows_of_one(project, query);
  return all;
}
async function rows_of_one(project, query) {
  const [names] = (await project.engine.ask(project.database, "", "columns", query)).rows;
  const columns = names.map((_, i) => `c${i}`), texts = columns.map((c) => `CAST(${c} AS TEXT)`);
  const rows = await project.sql(`WITH q(${columns}) AS (${query}) SELECT ${texts} FROM q`);
  return rows.map((row) => row.map((value) => value ?? "~").join("|") + "\n").join("");
}

// RENAME writes a name in quotes, or in another case (docs/operations.md).
const plain = (text) => text?.replace(/"((?:[^"]|"")*)"|\[([^\]]*)\]|`([^`]*)`/g, (_, a, b, c) => (a ?? b ?? c).replaceAll('""', '"')).toLowerCase();
const tokens = (schema) => schema.map((row) => row.map(plain));

export async function fill(project, name, as_is = (text) => text) {
  await project.sql(as_is(text_of(name, "old.sql")));
  if (text_of(name, "seed.sql").trim() !== "") await project.sql(text_of(name, "seed.sql"));
}

// The releases of SQLite print a real's last digits, and infinity, in different ways.
const numbers = (text) => text.replace(/9\.0e\+999/g, "Inf").replace(/-?\d+\.\d+(e[+-]?\d+)?/g, (number) => Number(number).toPrecision(15));

// go(state, ...args) brings the migration there.
export async function walk(project, name, go) {
  const schema = tokens(await project.schema());
  let seen = "";
  const write = async (file) => text_of(name, file).trim() !== "" && project.sql(text_of(name, file));
  const read = (file) => rows_of(project, text_of(name, file));
  const note = async (when, file) => (seen += `-- ${when}, ${file}\n${await read(file)}`);
  const before = await read("read_old.sql");
  await go("in-sync", "apply", "--to", "in-sync");
  await note("in-sync", "read_new.sql");
  await go("contracted", "apply", "--to", "contracted");
  await go("in-sync", "rollback", "--to", "in-sync");
  await go("pending", "rollback", "--recovery-point", "none");
  same(`${name}: the schema is what it was`, schema, tokens(await project.schema()));
  same(`${name}: the rows are what they were`, before, await read("read_old.sql"));
  await go("dual-writing", "apply", "--to", "dual-writing");
  await go("in-sync", "apply", "--to", "in-sync");
  await write("write_old.sql");
  await write("write_new.sql");
  await note("written by both", "read_old.sql");
  await note("written by both", "read_new.sql");
  await project.exits(`${name}: verify`, 0, "verify");
  await go("contracted", "apply", "--to", "contracted");
  await write("write_late.sql");
  await note("contracted", "read_new.sql");
  await go("in-sync", "rollback", "--to", "in-sync");
  await note("back in in-sync", "read_old.sql");
  await go("pending", "rollback", "--recovery-point", "none");
  same(`${name}: back with writes`, schema, tokens(await project.schema()));
  await note("back in pending", "read_old.sql");
  await go("contracted", "apply", "--to", "contracted");
  await go("purged", "apply", "--to", "purged", "--recovery-point", "none");
  await note("purged", "read_new.sql");
  same(`${name}: as on a file`, numbers(text_of(name, "seen.txt")), numbers(seen));
  same(`${name}: no trigger is left`, [], await project.sql("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'lockstep%'"));
}

async function walked(project, name, count, retry) {
  const schema = await project.schema();
  const plan = await project.run(["plan", "--to", "purged"]);
  same(`${name}: a plan changes nothing`, [schema], [await project.schema()]);
  if (plan.code === 2 && d1_only.test(plan.said)) {
    await project.exits(`${name}: apply refuses it too`, 2, "apply", "--to", "in-sync");
    same(`${name}: and changes nothing`, schema, await project.schema());
    return project.database !== name ? 0 : count.d1_only.push(name) && has_bare(name) && retry(name);
  }
  if (!same(`${name}: plan ${plan.code === 0 ? "" : plan.said}`, 0, plan.code)) return 0;
  await walk(project, name, (_, ...args) => project.exits(`${name}: ${args.join(" ")}`, 0, ...args));
  return (project.database === name ? count.walked : count.bare).push(name);
}

async function refused(project, name, count) {
  const schema = await project.schema(), [code] = text_of(name, "error").split(" ");
  const got = await project.run(["apply", "--to", "contracted"]);
  same(`${name}: refused ${got.code === 2 || got.code === 3 ? "" : got.said}`, true, got.code === 2 || got.code === 3);
  if (got.code === 3 && code !== "invalid") await project.exits(`${name}: back`, 0, "rollback", "--recovery-point", "none");
  same(`${name}: nothing is changed`, schema, await project.schema());
  count.refused.push(name);
}

export default async function () {
  const only = process.env.CASE, names = readdirSync(folder).filter((name) => !only || name === only).sort();
  const engine = await Engine.start([...names, ...names.filter((name) => !name.startsWith("refused")).map((name) => name + bare)]);
  const count = { walked: [], bare: [], d1_only: [], refused: [], unfit: [] };
  const queue = [...names];
  const work = async () => {
    while (queue.length > 0) {
      const database = queue.shift(), name = name_of(database), project = begin(engine, database);
      const as_is = database === name ? (text) => text : bare_sql;
      try {
        try {
          await fill(project, name, as_is);
        } catch (error) {
          count.unfit.push(`${name} (${error.message.slice(0, 60)})`);
          continue;
        }
        await (name.startsWith("refused") ? refused : walked)(project, name, count, (again) => database === name && queue.push(again + bare));
      } catch (error) {
        same(`${name}: to its end`, "", String(error.stack ?? error));
      }
    }
  };
  await Promise.all(Array.from({ length: 6 }, work));
  const { requests } = await engine.provoke();
  console.log(`cases: ${count.walked.length} walked, ${count.bare.length} without NOT NULL and what is declared, ${count.refused.length} refused, ${count.d1_only.length} that D1 alone refuses (${count.d1_only}), ${count.unfit.length} whose schema D1 does not take (${count.unfit}); ${requests} requests`);
  same("there were cases of each kind", true, only !== undefined || (count.walked.length + count.bare.length >= 30 && count.refused.length >= 50));
  await engine.stop();
}
