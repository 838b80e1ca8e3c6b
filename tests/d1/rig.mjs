// D1's own engine (workerd, npm miniflare) with the API that `migrate` speaks before it, the program
// itself, and the counting of cases: node main.mjs BUILD CLIENTS WORK [MODULE...]
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const [build, clients, work] = process.argv.slice(2);
export const here = dirname(fileURLToPath(import.meta.url));
export const load = createRequire(join(clients, "x.js"));
const { Miniflare, Log, LogLevel } = await import(load.resolve("miniflare"));
const token = "a-token-of-the-test";

// ---- cases ----

let passed = 0, failed = 0;
export const failures = () => failed;

export function same(what, expected, seen) {
  if (JSON.stringify(expected) === JSON.stringify(seen)) {
    passed++;
    return true;
  }
  failed++;
  console.log(`FAIL ${what}\n  expected: ${JSON.stringify(expected)?.slice(0, 2000)}\n  seen:     ${JSON.stringify(seen)?.slice(0, 2000)}`);
  return false;
}
export const matches = (what, pattern, seen) => same(`${what}: ${pattern} in ${seen.slice(-600)}`, true, pattern.test(seen));
export function finish() {
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}
export const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));

// ---- the engine ----

const module_of = (name) => [{ type: "ESModule", path: `${name}.mjs`, contents: readFileSync(join(here, `${name}.mjs`), "utf8") }];
const id_of = (i) => `00000000-0000-4000-8000-${String(i + 1).padStart(12, "0")}`;

let engines = 0;

// Databases by name, each empty; a Worker "api", a Worker "app" (app_worker.mjs), and more of them.
export class Engine {
  static async start(names, more = []) {
    const engine = new Engine();
    engine.number = ++engines; // no two have a folder in common
    const ids = names.map((_, i) => id_of(i)), common = { compatibilityDate: "2026-01-01", d1Databases: ids.reduce((all, id, i) => ({ ...all, [`DB${i}`]: id }), {}) };
    const databases = Object.fromEntries(ids.map((id, i) => [id, { binding: `DB${i}`, name: names[i] }]));
    engine.id = Object.fromEntries(names.map((name, i) => [name, ids[i]]));
    engine.names = names;
    engine.mf = new Miniflare({
      handleRuntimeStdio: (out, err) => [out, err].forEach((stream) => stream.resume()), // it tells of each client that was killed
      cf: false, host: "127.0.0.1", port: 0, log: new Log(LogLevel.ERROR), d1Persist: join(work, `d1-${engine.number}`),
      workers: [
        { name: "api", modules: module_of("api_worker"), bindings: { TOKEN: token, DATABASES: databases }, ...common },
        { name: "app", modules: module_of("app_worker"), ...common },
        ...more.map((worker) => ({ ...common, ...worker })),
      ],
    });
    engine.origin = (await engine.mf.ready).href;
    engine.app = await engine.mf.getWorker("app");
    return engine;
  }
  // What the application does; sql() is its statements as they are, rows as arrays.
  async ask(database, path, op, customer) {
    const db = `DB${this.names.indexOf(database)}`;
    return (await this.app.fetch("http://app/", { method: "POST", body: JSON.stringify({ db, path, op, customer }) })).json();
  }
  async sql(database, text) {
    const { rows, error } = await this.ask(database, "", "sql", text);
    if (error !== undefined) throw new Error(`${error}: ${text.slice(0, 300)}`);
    return rows;
  }
  schema(database) {
    return this.sql(database, "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'lockstep%' AND name NOT LIKE 'd1_%' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_cf_%' ORDER BY 1, 2");
  }
  // Turns limits on and off, and tells what the API was asked since the last time.
  async provoke(what = {}) {
    return (await fetch(`${this.origin}test`, { method: "POST", body: JSON.stringify(what) })).json();
  }
  stop() {
    return this.mf.dispose();
  }
}

// ---- the program ----

export function run(program, args, { env = {}, kill_after, cwd } = {}) {
  return new Promise((end) => {
    const began = performance.now(), child = spawn(program, args, { env: { ...process.env, ...env }, cwd });
    let said = "", out = "";
    child.stdout.setEncoding("utf8");
    child.stderr.setEncoding("utf8");
    child.stdout.on("data", (data) => (said += data, out += data));
    child.stderr.on("data", (data) => (said += data));
    const timer = kill_after === undefined ? null : setTimeout(() => child.kill("SIGKILL"), kill_after);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      end({ code, killed: signal === "SIGKILL", said, out, ms: performance.now() - began });
    });
  });
}

// A folder of migrations and the database that it is for.
export class Project {
  constructor(engine, database, env = {}) {
    this.engine = engine;
    this.database = database;
    this.folder = join(work, `project-${engine.number}-${database}`);
    mkdirSync(join(this.folder, "migrations"), { recursive: true });
    this.url = `d1://acc/${engine.id[database]}`;
    this.env = {
      CLOUDFLARE_API_TOKEN: token, CLOUDFLARE_API_BASE_URL: `${engine.origin}client/v4`, LOCKSTEP_D1_TOKEN: "", LOCKSTEP_DATABASE: this.url,
      LOCKSTEP_MIGRATIONS: join(this.folder, "migrations"), LOCKSTEP_ENVIRONMENT: "", LOCKSTEP_FLAG_SERVER: "", LOCKSTEP_TOKEN: "", LOCKSTEP_ACTOR: "test", ...env,
    };
    this.kills = 0;
    this.runs = 0;
    this.killed_in = {};
  }
  write(name, text) {
    const path = join(this.folder, "migrations", name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, typeof text === "string" ? text : JSON.stringify(text));
  }
  sql(text) {
    return this.engine.sql(this.database, text);
  }
  schema() {
    return this.engine.schema(this.database);
  }
  run(args, options) {
    return run(join(build, "migrate"), args, { env: this.env, ...options });
  }
  async exits(what, code, ...args) {
    const got = await this.run(args);
    same(`${what}: ${got.code === code ? "" : got.said.slice(-1500)}`, code, got.code);
    return got.said;
  }
  async state(migration) {
    const { out, said } = await this.run(["status", "--json"]);
    let report;
    try {
      report = JSON.parse(out);
    } catch {
      throw new Error(`status: ${said}`);
    }
    const found = report.migrations?.find((one) => one.name.startsWith(migration));
    if (found === undefined) throw new Error(`status has no ${migration}: ${said}`);
    return found.state;
  }
  // One way, killed at random moments until it is gone to its end; the last tries are not killed.
  async until(migration, wanted, args, { killing = 40, span_ms = 500 } = {}) {
    let from = await this.state(migration);
    for (let tries = 0; from !== wanted; tries++) {
      if (tries > killing + 5) {
        return same(`${args.join(" ")} never came to ${wanted}`, "", (await this.run(args)).said);
      }
      const got = await this.run(args, { kill_after: tries < killing ? 10 + Math.random() * span_ms : undefined });
      this.runs++;
      if (got.killed) {
        this.kills++;
        this.killed_in[`${from} -> ${wanted}`] = (this.killed_in[`${from} -> ${wanted}`] ?? 0) + 1;
      }
      const to = await this.state(migration);
      if (!got.killed && got.code !== 0 && to !== wanted) {
        return same(`${args.join(" ")} under kills`, 0, [got.code, got.said]);
      }
      from = to;
    }
    return true;
  }
}
