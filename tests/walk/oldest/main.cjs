// node main.cjs SQLJS FILE WRITES... : opens a database in the oldest SQLite at hand, runs files of
// statements, reads with the queries given as --read FILE, and prints one JSON document: the version,
// what integrity_check says, what each read saw; --out FILE keeps the database;
// --beside FILE reads the same of another one.
"use strict";
delete globalThis.fetch; // that sql.js takes it for a browser's
const fs = require("fs");
const path = require("path");
const [folder, file, ...rest] = process.argv.slice(2);
const open = require(path.join(folder, "node_modules/sql.js/dist/sql-wasm.js"));

open().then((SQL) => {
    const result = { reads: [] };
    const db = new SQL.Database(fs.readFileSync(file));
    let beside = null;
    db.run("PRAGMA foreign_keys = ON");
    const rows = (sql) => db.exec(sql).map((one) => one.values);
    try {
        result.version = rows("SELECT sqlite_version()")[0][0][0];
        result.schema = rows("SELECT count(*) FROM sqlite_master")[0][0][0];
        for (let i = 0; i < rest.length; i += 2) {
            const text = rest[i] === "--out" || rest[i] === "--beside" ? "" : fs.readFileSync(rest[i + 1], "utf8");
            if (rest[i] === "--write") db.run(text);
            else if (rest[i] === "--read") result.reads.push(rows(text));
            else if (rest[i] === "--beside") beside = rest[i + 1];
        }
        result.integrity = rows("PRAGMA integrity_check")[0][0][0];
        result.references = rows("PRAGMA foreign_key_check").length;
        if (beside !== null) {
            const other = new SQL.Database(fs.readFileSync(beside));
            const query = fs.readFileSync(rest[rest.indexOf("--read") + 1], "utf8");
            result.beside = [other.exec(query).map((one) => one.values)];
        }
        const out = rest.indexOf("--out");
        if (out >= 0) fs.writeFileSync(rest[out + 1], Buffer.from(db.export()));
    } catch (error) {
        result.error = String(error.message || error);
    }
    console.log(JSON.stringify(result));
}).catch((error) => {
    console.error(String(error));
    process.exit(1);
});
