// A flag-server of our own, what a product owner does with it, and the counting of cases.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, openSync, closeSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [build, clients, work] = process.argv.slice(2);
export const load = createRequire(join(clients, "package.json"));
export { assert };

// ---- cases ----

let passed = 0;
let failed = 0;

export async function test(name, run) {
    try {
        await run();
        passed++;
    } catch (error) {
        failed++;
        console.log(`FAIL ${name}\n${String(error.stack ?? error).replace(/^/gm, "     ")}`);
    }
}

export function close() {
    console.log(`${passed} passed, ${failed} failed`);
    process.exitCode = failed === 0 ? 0 : 1;
}

// Waits until check() holds; what it waited for is part of the message.
export async function until(what, check) {
    for (let i = 0; i < 400; i++) {
        if (await check()) return;
        await new Promise((done) => setTimeout(done, 25));
    }
    assert.fail(`10 s have passed without: ${what}`);
}

// ---- server ----

export class Server {
    #child;
    #folder = mkdtempSync(join(work, "server."));
    #options;

    static async start(...options) {
        const server = new Server();
        server.#options = options;
        server.#program("init", "--environment", "test", "--token-file", join(server.#folder, "admin"));
        server.admin = readFileSync(join(server.#folder, "admin"), "utf8").trim();
        await server.serve("127.0.0.1:0");
        return server;
    }

    #program(command, ...rest) {
        const { status, stderr } = spawnSync(
            join(build, "flag-server"),
            [command, "--store", `sqlite:${join(this.#folder, "flags.db")}`, ...rest],
            { encoding: "utf8" },
        );
        assert.equal(status, 0, `flag-server ${command}: ${stderr}`);
    }

    async serve(listen) {
        const port = join(this.#folder, "port");
        const log = openSync(join(this.#folder, "log"), "a");
        rmSync(port, { force: true });
        this.#child = spawn(
            join(build, "flag-server"),
            ["serve", "--store", `sqlite:${join(this.#folder, "flags.db")}`, "--listen", listen,
                "--port-file", port, ...this.#options],
            { stdio: ["ignore", "ignore", log] },
        );
        closeSync(log);
        await until("flag-server listens", () =>
            existsSync(port) && readFileSync(port, "utf8").trim() !== "");
        this.address = `127.0.0.1:${readFileSync(port, "utf8").trim()}`;
        this.url = `http://${this.address}`;
    }

    // Ends it, and is content with nothing but exit code 0: a sanitizer's report is another.
    async stop() {
        const child = this.#child;
        const ended = new Promise((done) => child.once("exit", (code, signal) => done(code ?? signal)));
        child.kill("SIGTERM");
        assert.equal(await ended, 0, readFileSync(join(this.#folder, "log"), "utf8"));
    }

    async call(method, path, body, headers = {}) {
        const reply = await fetch(this.url + path, {
            method,
            headers: { Authorization: `Bearer ${this.admin}`, ...headers },
            body: body === undefined ? undefined : JSON.stringify(body),
        });
        const text = await reply.text();
        assert.ok(reply.ok, `${method} ${path}: ${reply.status} ${text}`);
        return text === "" ? undefined : JSON.parse(text);
    }

    async token(role) {
        return (await this.call("POST", "/api/v1/tokens", { role, name: `a ${role}` })).token;
    }

    create(flag) {
        return this.call("POST", "/api/v1/flags", flag);
    }

    // change: a function that gets the flag as it stands and alters it.
    async alter(key, change) {
        const flag = await this.call("GET", `/api/v1/flags/${key}`);
        change(flag);
        return this.call("PUT", `/api/v1/flags/${key}`, flag, { "If-Match": `"${flag.version}"` });
    }
}
