// A database that nobody here designed, whole: Chinook, as a plain migration of a wrangler project, with
// six migrations in flight, forth, back and to the end, on workerd and on a SQLite file in turn. Both
// get the same commands and the same writes of old and new code, and hold the same after each. What D1
// cannot do is refused before anything is sent.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Engine, Project, build, here, matches, run, same, work } from "./rig.mjs";

const source = join(process.env.SHARED ?? join(here, "../../../shared"), "data/chinook.sql");

const migrations = {
  "0002_domain": { // with an index, beside what is there: Email is NOT NULL, so D1 cannot drop it
    table: "Customer", add: { Mailbox: { type: "TEXT" }, Domain: { type: "TEXT" } },
    forward: { Mailbox: "substr(Email, 1, instr(Email, '@') - 1)", Domain: "lower(substr(Email, instr(Email, '@') + 1))" },
    create_index: ["CREATE INDEX CustomerDomain ON Customer(Domain)"], valid_old: "instr(Email, '@') > 1", old_writes_idle: "0s",
  },
  "0003_postal_code": { table: "Invoice", rename: { BillingPostalCode: "PostalCode" }, old_writes_idle: "0s" },
  "0004_size": { table: "Track", retype: { Bytes: { to: "Size", type: "TEXT" } }, old_writes_idle: "0s" },
  "0005_fax": { table: "Employee", drop: ["Fax"], lossy: true, old_writes_idle: "0s" },
  "0006_review": { create_table: ["CREATE TABLE Review(ReviewId INTEGER PRIMARY KEY, CustomerId INTEGER NOT NULL REFERENCES Customer(CustomerId) ON DELETE CASCADE, Stars INTEGER CHECK(Stars BETWEEN 1 AND 5))", "CREATE INDEX ReviewCustomer ON Review(CustomerId)"], lossy: true },
  "0007_format": { table: "MediaType", handwritten: true },
};
const by_hand = {
  "expand.sql": "CREATE TABLE Format(FormatId INTEGER PRIMARY KEY, Name TEXT);",
  "expand.down.sql": "DROP TABLE Format;",
  "dual_write.sql": `CREATE TRIGGER format_new AFTER INSERT ON MediaType BEGIN INSERT INTO Format SELECT NEW.MediaTypeId, NEW.Name WHERE NOT EXISTS (SELECT 1 FROM Format WHERE FormatId = NEW.MediaTypeId); END;
CREATE TRIGGER format_changed AFTER UPDATE ON MediaType BEGIN UPDATE Format SET Name = NEW.Name WHERE FormatId = NEW.MediaTypeId AND Name IS NOT NEW.Name; END;
CREATE TRIGGER format_back AFTER UPDATE ON Format BEGIN UPDATE MediaType SET Name = NEW.Name WHERE MediaTypeId = NEW.FormatId AND Name IS NOT NEW.Name; END;
`,
  "dual_write.down.sql": "DROP TRIGGER format_new;\nDROP TRIGGER format_changed;\nDROP TRIGGER format_back;\n",
  "backfill.sql": "INSERT INTO Format SELECT MediaTypeId, Name FROM MediaType WHERE MediaTypeId NOT IN (SELECT FormatId FROM Format) AND :range",
  "verify.sql": "SELECT m.MediaTypeId FROM MediaType AS m LEFT JOIN Format AS f ON FormatId = MediaTypeId WHERE f.Name IS NOT m.Name",
  "contract.sql": "DROP TRIGGER format_new;\nDROP TRIGGER format_changed;\n",
  "contract.down.sql": `CREATE TRIGGER format_new AFTER INSERT ON MediaType BEGIN INSERT INTO Format SELECT NEW.MediaTypeId, NEW.Name WHERE NOT EXISTS (SELECT 1 FROM Format WHERE FormatId = NEW.MediaTypeId); END;
CREATE TRIGGER format_changed AFTER UPDATE ON MediaType BEGIN UPDATE Format SET Name = NEW.Name WHERE FormatId = NEW.MediaTypeId AND Name IS NOT NEW.Name; END;
`,
};

const old_writes = [
  "INSERT INTO Customer(CustomerId, FirstName, LastName, Email) VALUES(1001, 'Old', 'Code', 'old@Acme.com')",
  "UPDATE Customer SET Email = 'moved@acme.com' WHERE CustomerId IN (3, 17)",
  "INSERT INTO Invoice(InvoiceId, CustomerId, InvoiceDate, BillingPostalCode, Total) VALUES(9001, 3, '2026-01-01', '01-23', 9.99)",
  "UPDATE Invoice SET BillingPostalCode = 'changed' WHERE InvoiceId % 10 = 3",
  "UPDATE Track SET Bytes = Bytes + 1 WHERE TrackId % 100 = 7",
  "UPDATE Track SET Bytes = NULL WHERE TrackId = 5",
  "UPDATE MediaType SET Name = 'renamed by old' WHERE MediaTypeId = 2",
  "INSERT INTO Employee(EmployeeId, LastName, FirstName, Fax) VALUES(77, 'Old', 'Code', '+1 fax')",
];
const new_writes = [
  "INSERT INTO Customer(CustomerId, FirstName, LastName, Email, Mailbox, Domain) VALUES(1002, 'New', 'Code', 'new@acme.com', 'new', 'acme.com')",
  "INSERT INTO Invoice(InvoiceId, CustomerId, InvoiceDate, PostalCode, Total) VALUES(9002, 3, '2026-01-02', 'N-1', 1)",
  "UPDATE Invoice SET PostalCode = PostalCode || '-n' WHERE InvoiceId % 10 = 4",
  "UPDATE Track SET Size = CAST(CAST(Size AS INTEGER) * 2 AS TEXT) WHERE TrackId % 100 = 8",
  "INSERT INTO Review(CustomerId, Stars) VALUES(3, 5), (1002, 1)",
  "UPDATE Format SET Name = 'renamed by new' WHERE FormatId = 3",
  "INSERT INTO Employee(EmployeeId, LastName, FirstName) VALUES(78, 'New', 'Code')",
];
const late_writes = [
  "UPDATE Invoice SET PostalCode = 'late' WHERE InvoiceId % 10 = 5",
  "UPDATE Track SET Size = '12345' WHERE TrackId % 100 = 9",
  "DELETE FROM Track WHERE TrackId = 3503 AND NOT EXISTS (SELECT 1 FROM PlaylistTrack AS p WHERE p.TrackId = 3503)",
  "DELETE FROM Review WHERE Stars = 1",
  "UPDATE Format SET Name = 'late' WHERE FormatId = 4",
  "INSERT INTO Employee(EmployeeId, LastName, FirstName) VALUES(79, 'Late', 'Code')",
];

// The two databases; everything is done to both.
class Twins {
  constructor(engine) {
    this.project = new Project(engine, "chinook");
    this.file = join(work, "chinook.db");
    this.file_env = { ...this.project.env, LOCKSTEP_DATABASE: this.file };
  }
  async both(what, code, ...args) {
    const [d1, file] = [await this.project.run(args), await run(join(build, "migrate"), args, { env: this.file_env })];
    same(`${what}: ${d1.code === code ? "" : d1.said.slice(-1500)}`, code, d1.code);
    same(`${what}, on the file: ${file.code === code ? "" : file.said.slice(-1500)}`, code, file.code);
    return d1.said;
  }
  async of_file(sql, json = true) {
    const got = await run("sqlite3", ["-cmd", ".timeout 5000", ...(json ? ["-json"] : []), this.file, `PRAGMA foreign_keys = ON; ${sql}`]);
    same(`sqlite3 ${sql.slice(0, 60)}: ${got.code === 0 ? "" : got.said}`, 0, got.code);
    return json ? JSON.parse(got.out || "[]").map(Object.values) : [];
  }
  async write(all) {
    for (const sql of all) {
      await this.project.sql(sql);
      await this.of_file(sql, false);
    }
  }
  async compare(what) {
    const tables = "SELECT m.name, group_concat(i.name, ' ') FROM sqlite_master AS m, pragma_table_info(m.name) AS i WHERE m.type = 'table' AND m.name NOT LIKE 'lockstep%' AND m.name NOT LIKE 'd1_%' AND m.name NOT LIKE '_cf_%' AND m.name NOT LIKE 'sqlite%' GROUP BY 1 ORDER BY 1";
    const seen = await this.project.sql(tables);
    same(`${what}: tables and columns`, await this.of_file(tables), seen);
    let rows = 0;
    for (const [table, columns] of seen) {
      const all = `SELECT ${columns.split(" ").map((c) => `quote("${c}")`).join(" || '|' || ")} AS row FROM "${table}" ORDER BY rowid`;
      const [theirs, ours] = [await this.of_file(all), await this.project.sql(all)];
      rows += ours.length;
      same(`${what}: ${table}`, [theirs.length, []], [ours.length, theirs.filter(([row], i) => row !== ours[i]?.[0]).slice(0, 3)]);
    }
    return rows;
  }
}

async function walk(twins) {
  const contract = async (state) => {
    for (const name of Object.keys(migrations)) {
      await twins.both(`${name} ${state}`, 0, "apply", name.slice(0, 4), "--to", state, "--recovery-point", "none");
    }
  };
  await twins.both("six in flight", 0, "apply", "--to", "in-sync");
  await twins.compare("in-sync");
  await twins.write(old_writes);
  await twins.write(new_writes);
  await twins.compare("written by both");
  await twins.both("verified", 0, "verify");
  await contract("contracted");
  await twins.write(late_writes);
  await twins.compare("contracted");
  same("old code fails loudly", true, /no such column/.test((await twins.project.engine.ask("chinook", "", "sql", "SELECT BillingPostalCode FROM Invoice")).error));
  await twins.both("all back", 0, "rollback", "--to", "0001", "--recovery-point", "none");
  await twins.compare("back in pending");
  await twins.both("forward again", 0, "apply", "--to", "in-sync");
  await contract("contracted");
  await contract("purged");
  return twins.compare("purged");
}

async function refusals(twins, name, json, pattern) {
  const { project } = twins, before = await project.schema();
  project.write(`0008_${name}/migration.json`, json);
  for (const command of [["plan"], ["apply", "--to", "in-sync"]]) {
    await project.engine.provoke();
    const got = await project.run([...command, "0008"]);
    same(`${name}, ${command}: ${got.said}`, 2, got.code);
    matches(name, pattern, got.said);
    same(`${name}, ${command}: nothing of it was sent`, before, await project.schema());
    if (command[0] === "plan") same(`${name}: plan wrote nothing`, 0, (await project.engine.provoke()).rows_written);
  }
  await run("rm", ["-r", join(project.folder, `migrations/0008_${name}`)]);
}

export default async function () {
  if (!existsSync(source)) {
    console.log("Chinook: left out, it is not here (../shared/data/chinook.sql)");
    return;
  }
  const engine = await Engine.start(["chinook"]), twins = new Twins(engine), { project } = twins;
  project.write("0001_chinook.sql", readFileSync(source, "utf8").replace(/^\uFEFF/, ""));
  for (const [name, json] of Object.entries(migrations)) project.write(`${name}/migration.json`, json);
  for (const [name, text] of Object.entries(by_hand)) project.write(`0007_format/${name}`, text);
  await run("sqlite3", [twins.file, "VACUUM"]);
  await twins.both("Chinook", 0, "apply", "0001");
  const before = await project.schema();
  await twins.compare("as it was made");
  await refusals(twins, "not_null", { table: "Album", drop: ["Title"], add: { Heading: { type: "TEXT" } }, forward: { Heading: "Title" }, reverse: { Title: "Heading" } }, /cannot loosen that in place/);
  await refusals(twins, "declared", { table: "Genre", add: { Short: { type: "TEXT", not_null: true } }, forward: { Short: "substr(Name, 1, 3)" } }, /cannot change a table's text in place/);
  await refusals(twins, "referenced", { table: "Genre", rename_table: "Style" }, /Track/);
  await refusals(twins, "dropped", { drop_table: "Genre" }, /Track/);
  await refusals(twins, "by_hand", { table: "Genre", handwritten: true }, /./);
  same("Chinook is as it was", before, await project.schema());
  const rows = await walk(twins);
  const { requests, rows_written } = await engine.provoke();
  console.log(`Chinook: ${rows} rows, six migrations in flight, equal to a file's in every state; ${requests} requests, ${rows_written} rows written`);
  await engine.stop();
}
