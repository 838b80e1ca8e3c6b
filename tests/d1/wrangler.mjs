// Projects of wrangler, with wrangler itself (npm) beside `migrate`: its three kinds of file, its
// environments, its local database and the remote one; the ledger that both read; what each leaves in
// sqlite_master, and how long it takes.
import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Engine, Project, build, clients, matches, run, same, work } from "./rig.mjs";

const program = join(clients, "node_modules/.bin/wrangler");
const state = ".wrangler/state/v3/d1/miniflare-D1DatabaseObject";

class Wrangler {
  constructor(engine, name, environment) {
    this.project = new Project(engine, environment);
    this.engine = engine;
    this.folder = join(work, name);
    this.env = {
      ...this.project.env, LOCKSTEP_DATABASE: "", LOCKSTEP_MIGRATIONS: "", CLOUDFLARE_ACCOUNT_ID: "acc", HOME: join(work, "home"), CI: "1",
      WRANGLER_SEND_METRICS: "false", NO_COLOR: "1",
    };
    mkdirSync(join(this.folder, "migrations"), { recursive: true });
    mkdirSync(join(work, "home"), { recursive: true });
  }
  write(name, text) {
    mkdirSync(join(this.folder, name, ".."), { recursive: true });
    writeFileSync(join(this.folder, name), typeof text === "string" ? text : JSON.stringify(text, null, 2));
  }
  async migrate(what, code, ...args) {
    const got = await run(join(build, "migrate"), args, { env: this.env, cwd: this.folder });
    same(`${what}: ${got.code === code ? "" : got.said.slice(-1500)}`, code, got.code);
    return got;
  }
  async wrangler(what, ...args) {
    const got = await run(program, ["d1", "migrations", ...args], { env: this.env, cwd: this.folder });
    same(`wrangler, ${what}: ${got.code === 0 ? "" : got.said.slice(-1500)}`, 0, got.code);
    return got;
  }
  // The migrations that wrangler would apply next.
  async pending(what, ...args) {
    const { said } = await this.wrangler(what, "list", ...args);
    return /No migrations to apply/.test(said) ? [] : [...said.matchAll(/│ (\S+\.sql)\s/g)].map((m) => m[1]);
  }
  file() {
    const all = existsSync(join(this.folder, state)) ? readdirSync(join(this.folder, state)) : [];
    return join(this.folder, state, all.find((name) => /^[0-9a-f]{64}\.sqlite$/.test(name)) ?? "none");
  }
  async local(sql) {
    const got = await run("sqlite3", ["-cmd", ".timeout 5000", "-json", this.file(), sql]);
    same(`sqlite3: ${got.said.slice(0, 300)}`, 0, got.code);
    return JSON.parse(got.out || "[]").map(Object.values);
  }
}

const phased = {
  description: "The phone number is split", table: "Customer", add: { Area: { type: "TEXT" }, Number: { type: "TEXT" } },
  forward: { Area: "substr(Phone, 1, instr(Phone, '-') - 1)", Number: "substr(Phone, instr(Phone, '-') + 1)" },
  drop: ["Phone"], reverse: { Phone: "Area || '-' || Number" }, old_writes_idle: "0s",
};
const plain = {
  "0001_customer.sql": `-- Migration number: 0001 \t 2026-01-01T00:00:00.000Z
CREATE TABLE Customer(CustomerId INTEGER PRIMARY KEY, Name TEXT NOT NULL, Phone TEXT);
CREATE INDEX CustomerName ON Customer(Name COLLATE NOCASE);
INSERT INTO Customer(Name, Phone) VALUES('Ann; "the first"', '1-23'), ('O''Hara', '4-56');
`,
  "0002_log.sql": `-- Migration number: 0002 \t 2026-01-02T00:00:00.000Z
CREATE TABLE Log(At TEXT, What TEXT);
CREATE VIEW Named AS SELECT CustomerId, Name FROM Customer WHERE Name <> '';
CREATE TRIGGER CustomerGone AFTER DELETE ON Customer BEGIN INSERT INTO Log VALUES('then', OLD.Name); DELETE FROM Log WHERE What = ''; END;
ALTER TABLE Log ADD COLUMN Who TEXT DEFAULT 'nobody';
`,
};
const files = {
  "wrangler.toml": (ids) => `name = "shop"
main = "src/index.js"
account_id = "acc"
compatibility_date = "2026-01-01"
[[d1_databases]]
binding = "DB"
database_name = "shop"
database_id = "${ids.shop}"
migrations_dir = "migrations"
[[env.staging.d1_databases]]
binding = "DB"
database_name = "staging"
database_id = "${ids.staging}"
`,
  "wrangler.jsonc": (ids) => `{ // with comments, and a comma too many
  "name": "shop", "main": "src/index.js", "account_id": "acc", "compatibility_date": "2026-01-01",
  "d1_databases": [{"binding": "DB", "database_name": "shop", "database_id": "${ids.shop}"},],
  "env": {"staging": {"d1_databases": [{"binding": "DB", "database_name": "staging", "database_id": "${ids.staging}"}]}},
}`,
  "wrangler.json": (ids) => JSON.stringify({
    name: "shop", main: "src/index.js", account_id: "acc", compatibility_date: "2026-01-01",
    d1_databases: [{ binding: "DB", database_name: "shop", database_id: ids.shop }],
    env: { staging: { d1_databases: [{ binding: "DB", database_name: "staging", database_id: ids.staging }] } },
  }),
};

function project_of(engine, name, file, database) {
  const project = new Wrangler(engine, name, database);
  project.write("src/index.js", "export default { fetch: () => new Response('shop') };\n");
  project.write(file, files[file](engine.id));
  for (const [migration, text] of Object.entries(plain)) project.write(`migrations/${migration}`, text);
  return project;
}

// One project: wrangler applies the first, `migrate` the rest and a phased one, and each knows what the
// other did.
async function together(engine, file, database, where, ours) {
  const name = `${file}, ${where.join(" ")}`, project = project_of(engine, `together-${file}`, file, database);
  same(`${name}: all are pending`, Object.keys(plain), await project.pending(name, "DB", ...where));
  project.write("migrations/later", ""); // no migration: neither tool minds it
  await project.wrangler(`${name}: apply`, "apply", "DB", ...where);
  const { said } = await project.migrate(`${name}: status`, 0, "status", ...ours);
  matches(`${name}: what wrangler applied is applied`, /0002_log\.sql\s+plain\s+applied/, said);
  project.write("migrations/0003_phone/migration.json", phased);
  project.write("migrations/0004_more.sql", "CREATE TABLE More(a);\nINSERT INTO More VALUES('one; two');\n");
  same(`${name}: a phased folder is none of wrangler's`, ["0004_more.sql"], await project.pending(name, "DB", ...where));
  await project.migrate(`${name}: in-sync`, 0, "apply", "--to", "in-sync", ...ours);
  same(`${name}: wrangler has nothing to do in in-sync`, [], await project.pending(name, "DB", ...where));
  await project.migrate(`${name}: back`, 0, "rollback", "0003", ...ours);
  await project.migrate(`${name}: contracted`, 0, "apply", "0003", "--to", "contracted", ...ours);
  await project.migrate(`${name}: purged`, 0, "apply", "0003", "--to", "purged", "--recovery-point", "none", ...ours);
  project.write("migrations/0005_last.sql", "CREATE TABLE Last(a);\n");
  same(`${name}: nor behind purge`, ["0005_last.sql"], await project.pending(name, "DB", ...where));
  await project.wrangler(`${name}: apply the last`, "apply", "DB", ...where);
  await project.migrate(`${name}: nothing to do`, 0, "plan", "--exit-code", ...ours);
}

// ---- what is refused ----

async function refusals(engine) {
  const project = project_of(engine, "refusals", "wrangler.json", "other");
  project.write("migrations/0003_phone/migration.json", phased);
  const config = JSON.parse(files["wrangler.json"]({ ...engine.id, shop: engine.id.other }));
  for (const pattern of ["migrations/**/*.sql", "migrations/*/*.sql", "migrations/{*,*/*}.sql"]) {
    config.d1_databases[0].migrations_pattern = pattern;
    config.d1_databases[0].migrations_dir = "migrations";
    project.write("wrangler.json", config);
    await engine.provoke();
    const { said } = await project.migrate(`the pattern ${pattern}`, 2, "apply", "--wrangler", ".");
    matches(`the pattern ${pattern}`, /would run the files of a phased/, said);
    same(`the pattern ${pattern}: before anything is sent`, 0, (await engine.provoke()).requests);
  }
  config.d1_databases[0].migrations_pattern = "migrations/*.sql";
  project.write("wrangler.json", config);
  await project.migrate("wrangler's own pattern", 0, "plan", "--wrangler", ".");
  project.write("migrations/0002_again.sql", "SELECT 1;\n");
  await engine.provoke();
  const { said } = await project.migrate("equal numbers", 2, "apply", "--wrangler", ".");
  matches("equal numbers", /0002_again|0002_log/, said);
  same("equal numbers: nothing is changed", 0, (await engine.provoke()).changes);
}

// ---- side by side ----

const objects = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'lockstep%' AND name NOT LIKE 'sqlite%' AND name NOT LIKE '_cf_%' ORDER BY 1, 2";
const ledger = "SELECT id, name FROM d1_migrations ORDER BY id";
// The ledger's own text differs in blanks and quotes alone.
const texts = (rows) => rows.map(([type, name, table, sql]) => [type, name, table, name === "d1_migrations" ? sql.replace(/[\s"]+/g, "") : sql]);

async function side_by_side(engine, count) {
  const theirs = project_of(engine, `theirs-${count}`, "wrangler.json", "shop");
  const ours = project_of(engine, `ours-${count}`, "wrangler.json", "shop"), database = `remote${count}`;
  for (let i = 1; i <= count; i++) {
    const name = `migrations/${String(i + 2).padStart(4, "0")}_t${i}.sql`, text = `CREATE TABLE t${i}(id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER);\n`;
    theirs.write(name, text);
    ours.write(name, text);
  }
  // Each local database is there before: wrangler makes it, and applies the first two.
  for (const one of [theirs, ours]) {
    mkdirSync(join(one.folder, "late"));
    for (const name of readdirSync(join(one.folder, "migrations")).filter((name) => name > "0003")) {
      copyFileSync(join(one.folder, "migrations", name), join(one.folder, "late", name));
      await run("rm", [join(one.folder, "migrations", name)]);
    }
    await one.wrangler("the first two", "apply", "DB", "--local");
    await run("sh", ["-c", 'mv "$1"/late/* "$1/migrations/"', "sh", one.folder]);
  }
  const remote = { LOCKSTEP_DATABASE: `d1://acc/${engine.id[database]}`, LOCKSTEP_MIGRATIONS: join(ours.folder, "migrations") };
  const timed = {
    wrangler: await theirs.wrangler(`${count} at once`, "apply", "DB", "--local"),
    file: await ours.migrate(`${count} at once`, 0, "apply", "--wrangler", ".", "--wrangler-local"),
  };
  await ours.project.run(["apply", "0002"], { env: { ...ours.project.env, ...remote } });
  timed.workerd = await ours.project.run(["apply"], { env: { ...ours.project.env, ...remote } });
  same(`${count} over HTTP: ${timed.workerd.said.slice(-300)}`, 0, timed.workerd.code);
  const wanted = texts(await theirs.local(objects));
  same(`${count}: sqlite_master of the local database`, wanted, texts(await ours.local(objects)));
  same(`${count}: the ledger of the local database`, await theirs.local(ledger), await ours.local(ledger));
  same(`${count}: sqlite_master on workerd`, wanted, texts(await engine.sql(database, objects)));
  same(`${count}: the ledger on workerd`, (await theirs.local(ledger)).map(([, name]) => name), (await engine.sql(database, ledger)).map(([, name]) => name));
  same(`${count}: wrangler reads it`, [], await ours.pending("ours", "DB", "--local"));
  const ms = Object.fromEntries(Object.entries(timed).map(([tool, { ms: took }]) => [tool, took]));
  console.log(`${count} plain migrations: wrangler --local ${ms.wrangler.toFixed(0)} ms, migrate on the same kind of file ${ms.file.toFixed(0)} ms (${(ms.wrangler / ms.file).toFixed(1)} times as fast), on workerd over HTTP ${ms.workerd.toFixed(0)} ms (${(ms.wrangler / ms.workerd).toFixed(1)} times)`);
}

export default async function () {
  if (!existsSync(program)) throw new Error("wrangler is not installed");
  const engine = await Engine.start(["shop", "staging", "other", "remote1", "remote100"]);
  await Promise.all([
    together(engine, "wrangler.toml", "shop", ["--remote"], ["--wrangler", "."]),
    together(engine, "wrangler.jsonc", "staging", ["--remote", "--env", "staging"], ["--wrangler", "wrangler.jsonc", "--wrangler-env", "staging"]),
    together(engine, "wrangler.json", "shop", ["--local"], ["--wrangler", ".", "--wrangler-local"]),
  ]);
  await refusals(engine);
  await side_by_side(engine, 1);
  await side_by_side(engine, 100);
  await engine.stop();
}
