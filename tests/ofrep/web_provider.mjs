// @openfeature/web-sdk with @openfeature/ofrep-web-provider: all flags at once, by ETag.
import { Server, assert, load, test, until } from "./rig.mjs";

const { OpenFeature } = load("@openfeature/web-sdk");
const { OFREPWebProvider } = load("@openfeature/ofrep-web-provider");

// What a browser has, and node has not.
class LocalStorage {
    #items = new Map();
    getItem(key) { return this.#items.get(key) ?? null; }
    setItem(key, value) { this.#items.set(key, String(value)); }
    removeItem(key) { this.#items.delete(key); }
}

let domains = 0;

// A page: its client, what it has asked and been answered, and how it changes its context.
async function page(server, token, context, options = {}, domain = `page-${++domains}`) {
    const seen = [];
    const provider = new OFREPWebProvider({
        baseUrl: server.url,
        headers: [["Authorization", `Bearer ${token}`]],
        cacheMode: "disabled",
        fetchImplementation: async (request) => {
            const reply = await fetch(request);
            seen.push({ sent: request.headers.get("If-None-Match"), status: reply.status, tag: reply.headers.get("ETag") });
            return reply;
        },
        ...options,
    });
    await OpenFeature.setContext(domain, context);
    await OpenFeature.setProviderAndWait(domain, provider);
    return {
        ask: OpenFeature.getClient(domain),
        seen,
        last: () => seen[seen.length - 1],
        become: (next) => OpenFeature.setContext(domain, next),
        leave: () => provider.onClose(),
    };
}

async function makeFlags(server) {
    const serve = (variant) => ({ variant });

    await server.create({
        key: "for-acme", state: "on", domains: { "acme.com": serve("on") },
        rules: [{ name: "pro", when: "plan == 'pro'", serve: serve("on"), on_error: "skip" }],
    });
    await server.create({ key: "half", state: "on", fallthrough: { ramp: { percent: 50, variant: "on" } } });
    await server.create({
        key: "colour", type: "string", state: "on", variants: { grey: "#888", blue: "#00f" },
        off_variant: "grey", fallthrough: serve("blue"),
    });
    await server.create({ key: "size", type: "number", variants: { s: 1, l: 2.5 }, off_variant: "l", fallthrough: serve("s") });
    await server.create({
        key: "theme", type: "object", state: "on", variants: { plain: { dark: false, hues: [1, 2] } },
        off_variant: "plain", fallthrough: serve("plain"),
    });
    await server.create({
        key: "failing", state: "on",
        rules: [{ name: "adults", when: "age >= 18", serve: serve("on"), on_error: "stop" }],
    });
}

async function evaluates(server, token) {
    const one = await page(server, token, { targetingKey: "u1", domain: "acme.com" });
    const { ask } = one;

    await test("bulk: every type, one request", () => {
        assert.equal(ask.getBooleanValue("for-acme", false), true);
        assert.equal(ask.getStringValue("colour", ""), "#00f");
        assert.equal(ask.getNumberValue("size", 0), 2.5);
        assert.deepEqual(ask.getObjectValue("theme", {}), { dark: false, hues: [1, 2] });
        assert.equal(one.seen.length, 1);
        assert.equal(one.seen[0].sent, null);
    });
    await test("bulk: reasons", () => {
        const reason = (details) => details.reason;

        assert.equal(reason(ask.getBooleanDetails("for-acme", false)), "TARGETING_MATCH");
        assert.equal(reason(ask.getStringDetails("colour", "")), "STATIC");
        assert.equal(reason(ask.getNumberDetails("size", 0)), "DISABLED");
        assert.equal(reason(ask.getBooleanDetails("half", false)), "SPLIT");
        assert.equal(reason(ask.getBooleanDetails("failing", true)), "ERROR");
        assert.equal(ask.getBooleanDetails("failing", true).value, false);
        assert.equal(ask.getBooleanDetails("absent", true).errorCode, "FLAG_NOT_FOUND");
        assert.equal(ask.getStringDetails("half", "mine").errorCode, "TYPE_MISMATCH");
    });
    await one.leave();

    const nobody = await page(server, token, { domain: "initech.com" });
    await test("bulk: one flag's error is its own", () => {
        assert.equal(nobody.ask.getBooleanDetails("half", true).errorCode, "TARGETING_KEY_MISSING");
        assert.equal(nobody.ask.getBooleanDetails("half", true).value, true);
        assert.equal(nobody.ask.getStringValue("colour", ""), "#00f");
        assert.equal(nobody.ask.getBooleanDetails("for-acme", true).reason, "DEFAULT");
    });
    await nobody.leave();
}

// The provider drops its ETag only when targetingKey changes: a tag that does not cover the rest of
// the context would get 304 and leave the page with another customer's answers.
async function contexts(server, token) {
    const one = await page(server, token, { targetingKey: "u1", domain: "initech.com" });
    const on = () => one.ask.getBooleanValue("for-acme", false);

    await test("context: another domain, the same key", async () => {
        assert.equal(on(), false);
        await one.become({ targetingKey: "u1", domain: "acme.com" });
        assert.notEqual(one.last().sent, null, "the provider was to send its tag");
        assert.equal(one.last().status, 200);
        assert.equal(on(), true);
    });
    await test("context: e-mail and plan, and back", async () => {
        await one.become({ targetingKey: "u1", email: "ann@globex.com" });
        assert.equal(on(), false);
        await one.become({ targetingKey: "u1", email: "ann@globex.com", plan: "pro" });
        assert.equal(on(), true);
        await one.become({ targetingKey: "u1", email: "ann@globex.com" });
        assert.equal(on(), false);
    });
    await test("context: the same again is 304 and keeps its values, in any order of members", async () => {
        await one.become({ targetingKey: "u1", plan: "pro", seats: 3 });
        assert.equal(one.last().status, 200);
        await one.become({ seats: 3, plan: "pro", targetingKey: "u1" });
        assert.equal(one.last().status, 304);
        assert.equal(on(), true);
    });
    await test("context: 1 and \"1\" and [1] are three", async () => {
        for (const seats of [1, "1", [1], { 1: 1 }, true, null]) {
            await one.become({ targetingKey: "u1", seats });
            assert.equal(one.last().status, 200, JSON.stringify(seats));
        }
    });
    await test("context: another key drops the tag", async () => {
        await one.become({ targetingKey: "u2", domain: "acme.com" });
        assert.equal(one.last().sent, null);
        assert.equal(on(), true);
    });
    await one.leave();
}

async function polls(server, token) {
    const one = await page(server, token, { targetingKey: "u1" }, { pollInterval: 30 });
    const statuses = (status) => one.seen.filter((each) => each.status === status).length;
    let changed = [];

    one.ask.addHandler("PROVIDER_CONFIGURATION_CHANGED", (details) => { changed = details.flagsChanged; });
    await test("polling: 304 while nothing changes", async () => {
        await until("five answers of 304", () => statuses(304) >= 5);
        assert.equal(statuses(200), 1);
        assert.match(one.last().tag, /^"[0-9a-f]{64}"$/);
    });
    await test("polling: a change comes through, and 304 again", async () => {
        await server.alter("colour", (flag) => { flag.state = "off"; });
        await until("the new colour", () => one.ask.getStringValue("colour", "") === "#888");
        assert.ok(changed.includes("colour"));
        const before = statuses(304);
        await until("304 after the change", () => statuses(304) > before);
    });
    await test("polling: a rule that reads the clock", async () => {
        const at = new Date(Date.now() + 1500).toISOString();
        await server.create({
            key: "later", state: "on",
            rules: [{ name: "at last", when: `now >= timestamp('${at}')`, serve: { variant: "on" } }],
        });
        await until("the flag", () => one.ask.getBooleanDetails("later", true).reason === "DEFAULT");
        const before = statuses(304);
        await until("304 before the moment", () => statuses(304) > before);
        await until("the moment, though no flag was changed", () => one.ask.getBooleanValue("later", false));
        await server.call("DELETE", "/api/v1/flags/later", undefined, { "If-Match": "\"1\"" });
    });
    await test("polling: a server that goes and comes back", async () => {
        let stale = false;

        one.ask.addHandler("PROVIDER_STALE", () => { stale = true; });
        await server.stop();
        await until("the provider says that it is stale", () => stale);
        assert.equal(one.ask.getStringValue("colour", ""), "#888");
        const before = one.seen.length;
        await server.serve(server.address);
        await until("an answer", () => one.seen.length > before);
        assert.equal(one.last().status, 304, "a restart alone changes no answer");
    });
    await one.leave();
}

async function storage(server, token) {
    const visit = (context) => page(server, token, context, { cacheMode: "local-cache-first" }, "visits");
    let first;

    globalThis.localStorage = new LocalStorage();
    await test("local cache: values of the last visit, then 304", async () => {
        first = await visit({ targetingKey: "u1", domain: "initech.com" });
        assert.equal(first.last().status, 200);
        await first.leave();
        first = await visit({ targetingKey: "u1", domain: "initech.com" });
        assert.equal(first.ask.getBooleanDetails("for-acme", true).reason, "CACHED");
        await until("the answer in the background", () => first.seen.length === 1);
        assert.equal(first.last().status, 304);
        await first.leave();
    });
    await test("local cache: its key is the targeting key alone, so our tag must tell contexts apart", async () => {
        const second = await visit({ targetingKey: "u1", domain: "acme.com" });

        await until("the answer in the background", () => second.ask.getBooleanValue("for-acme", false));
        assert.notEqual(second.seen[0].sent, null);
        assert.equal(second.seen[0].status, 200);
        await second.leave();
    });
    delete globalThis.localStorage;
}

async function tokens(server, token) {
    await test("a wrong token is fatal", async () => {
        await assert.rejects(page(server, "ls_sdk-client_wrong", { targetingKey: "u1" }), (error) => error.code === "PROVIDER_FATAL");
    });
    await test("one tag does not do for another token", async () => {
        const one = await page(server, token, { targetingKey: "u1" });
        const headers = { "Content-Type": "application/json", "If-None-Match": one.last().tag };
        const body = JSON.stringify({ context: { targetingKey: "u1" } });
        const ask = async (bearer) => (await fetch(`${server.url}/ofrep/v1/evaluate/flags`, {
            method: "POST", body, headers: { ...headers, Authorization: `Bearer ${bearer}` },
        })).status;

        assert.equal(await ask(token), 304);
        assert.equal(await ask(await server.token("sdk-client")), 200);
        await one.leave();
    });
}

// What a browser asks before and after; node's fetch knows no origins.
async function crossOrigin(server, token) {
    const path = `${server.url}/ofrep/v1/evaluate/flags`;

    await test("CORS: preflight", async () => {
        const reply = await fetch(path, {
            method: "OPTIONS",
            headers: {
                Origin: "https://shop.example", "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,content-type,if-none-match",
            },
        });
        assert.equal(reply.status, 204);
        assert.equal(reply.headers.get("Access-Control-Allow-Origin"), "https://shop.example");
        for (const name of ["authorization", "content-type", "if-none-match", "x-api-key"]) {
            assert.ok(reply.headers.get("Access-Control-Allow-Headers").toLowerCase().includes(name), name);
        }
    });
    await test("CORS: every answer can be read, 304, 401 and 404 too", async () => {
        const ask = (to, bearer, headers = {}) => fetch(to, {
            method: "POST", body: "{}",
            headers: { Origin: "https://shop.example", Authorization: `Bearer ${bearer}`, ...headers },
        });
        const first = await ask(path, token);
        const tag = first.headers.get("ETag");
        const replies = {
            200: first, 304: await ask(path, token, { "If-None-Match": tag }), 401: await ask(path, "wrong"),
            404: await ask(`${path}/absent`, token), 403: await ask(path, await server.token("viewer")),
        };
        for (const [status, reply] of Object.entries(replies)) {
            assert.equal(reply.status, Number(status));
            assert.equal(reply.headers.get("Access-Control-Allow-Origin"), "https://shop.example", status);
            assert.match(reply.headers.get("Access-Control-Expose-Headers"), /ETag/i);
        }
    });
    await test("CORS: not for administration", async () => {
        const reply = await fetch(`${server.url}/api/v1/flags`, { headers: { Authorization: `Bearer ${server.admin}`, Origin: "https://shop.example" } });

        assert.equal(reply.status, 200);
        assert.equal(reply.headers.get("Access-Control-Allow-Origin"), null);
    });
}

export async function webProvider() {
    const server = await Server.start("--cors-origin", "https://shop.example");
    const token = await server.token("sdk-client");

    await makeFlags(server);
    await evaluates(server, token);
    await contexts(server, token);
    await polls(server, token);
    await storage(server, token);
    await tokens(server, token);
    await crossOrigin(server, token);
    await OpenFeature.close();
    await test("the server ends well", () => server.stop());
}
