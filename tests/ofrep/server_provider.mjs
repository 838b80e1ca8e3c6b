// @openfeature/server-sdk with @openfeature/ofrep-provider: one flag at a time.
import { Server, assert, load, test } from "./rig.mjs";

const { OpenFeature } = load("@openfeature/server-sdk");
const { OFREPProvider } = load("@openfeature/ofrep-provider");

let domains = 0;

async function client(url, headers) {
    const domain = `server-${++domains}`;
    await OpenFeature.setProviderAndWait(domain, new OFREPProvider({ baseUrl: url, headers }));
    return OpenFeature.getClient(domain);
}

const bearer = (token) => [["Authorization", `Bearer ${token}`]];

async function makeFlags(server) {
    const bools = { on: true, off: false };
    const kinds = {
        string: { grey: "#888", blue: "größer \u{1F680} \"quoted\" \\ \n" },
        number: { grey: 10, blue: 0.5 },
        object: { grey: {}, blue: { list: [1, 2.5, "x", null, true], deep: { "": { k: "v" } } } },
    };

    for (const [type, variants] of Object.entries(kinds)) {
        await server.create({
            key: `a-${type}`, type, state: "on", variants, off_variant: "grey",
            fallthrough: { variant: "blue" },
        });
    }
    for (const [key, rest] of Object.entries({
        static: { fallthrough: { variant: "on" } },
        disabled: { state: "off", fallthrough: { variant: "on" } },
        targeted: {
            individual: { "user-1": "on" },
            domains: {
                "acme.com": { variant: "on" },
                "*.acme.com": { variant: "on" },
                "bücher.example": { variant: "on" },
                "half.example": { ramp: { percent: 50, variant: "on" } },
            },
            rules: [{ name: "many seats", when: "seats >= 10 && plan in ['pro', 'max']", serve: { variant: "on" } }],
            fallthrough: { variant: "off" },
        },
        half: { fallthrough: { ramp: { percent: 50, variant: "on" } } },
        failing: {
            rules: [{ name: "adults", when: "age >= 18", serve: { variant: "on" }, on_error: "stop" }],
            fallthrough: { variant: "on" },
        },
    })) {
        await server.create({
            key, type: "boolean", state: "on", variants: bools, off_variant: "off", ...rest,
        });
    }
    await server.create({
        key: "model", type: "string", state: "on", variants: { none: "none", a: "A", b: "B" },
        off_variant: "none", fallthrough: { split: { a: 30, b: 70 } },
    });
}

async function values(ask) {
    await test("boolean, string, number, object", async () => {
        assert.equal(await ask.getBooleanValue("static", false), true);
        assert.equal(await ask.getStringValue("a-string", ""), "größer \u{1F680} \"quoted\" \\ \n");
        assert.equal(await ask.getNumberValue("a-number", 0), 0.5);
        assert.deepEqual(await ask.getObjectValue("a-object", {}), {
            list: [1, 2.5, "x", null, true], deep: { "": { k: "v" } },
        });
    });
    await test("what comes with a value", async () => {
        const details = await ask.getBooleanDetails("targeted", false, { seats: 10, plan: "max" });

        assert.equal(details.value, true);
        assert.equal(details.variant, "on");
        assert.equal(details.flagMetadata.rule, "many seats");
        assert.equal(typeof details.flagMetadata.revision, "number");
        assert.equal(details.errorCode, undefined);
    });
}

async function reasons(ask) {
    const table = [
        ["STATIC", "static", {}, true],
        ["DISABLED", "disabled", {}, false],
        ["TARGETING_MATCH", "targeted", { targetingKey: "user-1" }, true],
        ["TARGETING_MATCH", "targeted", { domain: "ACME.com." }, true],
        ["TARGETING_MATCH", "targeted", { domain: "a.b.acme.com" }, true],
        ["TARGETING_MATCH", "targeted", { email: "\"odd@x\"@acme.com" }, true],
        ["TARGETING_MATCH", "targeted", { email: "ann@BÜCHER.example" }, true],
        ["TARGETING_MATCH", "targeted", { domain: "xn--bcher-kva.example" }, true],
        ["TARGETING_MATCH", "targeted", { seats: 10, plan: "pro" }, true],
        ["DEFAULT", "targeted", { seats: 9, plan: "pro" }, false],
        ["DEFAULT", "targeted", { domain: "notacme.com", seats: 1, plan: "" }, false],
        ["SPLIT", "half", { targetingKey: "user-1" }, undefined],
        ["SPLIT", "targeted", { targetingKey: "u", domain: "half.example" }, undefined],
        ["ERROR", "failing", {}, false], // the off variant; the default, true, is not played
        ["TARGETING_MATCH", "failing", { age: 18 }, true],
        ["DEFAULT", "failing", { age: 17.5 }, true],
    ];
    for (const [reason, key, context, value] of table) {
        await test(`${reason} of ${key} for ${JSON.stringify(context)}`, async () => {
            const details = await ask.getBooleanDetails(key, value === false, context);

            assert.equal(details.reason, reason, details.errorMessage);
            assert.equal(details.errorCode, undefined);
            if (value !== undefined) assert.equal(details.value, value);
        });
    }
    await test("a rule that failed is named, with the cause", async () => {
        const { flagMetadata } = await ask.getBooleanDetails("failing", true);

        assert.equal(flagMetadata.rule, "adults");
        assert.match(flagMetadata.error, /age/);
    });
}

async function buckets(ask) {
    await test("a ramp is sticky and near its percentage; a split too", async () => {
        const keys = Array.from({ length: 400 }, (_, i) => `user-${i}`);
        const all = (get) => Promise.all(keys.map((targetingKey) => get({ targetingKey })));
        const ramp = (context) => ask.getBooleanValue("half", false, context);
        const split = (context) => ask.getStringDetails("model", "", context);
        const first = await all(ramp);
        const models = await all(split);

        assert.deepEqual(await all(ramp), first);
        const on = first.filter(Boolean).length;
        assert.ok(on > 140 && on < 260, `${on} of 400`); // six standard deviations
        const a = models.filter(({ variant }) => variant === "a").length;
        assert.ok(a > 65 && a < 175, `${a} of 400`);
        assert.ok(models.every(({ value, variant }) => value === variant.toUpperCase()));
    });
}

async function failures(server, ask) {
    const expect = (name, code, value, get) => test(name, async () => {
        const details = await get();

        assert.equal(details.errorCode, code, details.errorMessage);
        assert.equal(details.reason, "ERROR");
        assert.deepEqual(details.value, value);
    });
    await expect("FLAG_NOT_FOUND", "FLAG_NOT_FOUND", true, () => ask.getBooleanDetails("nobody-made-it", true));
    for (const key of ["a b", "Ünïcode", "x".repeat(500), "a%00b", "__proto__"]) {
        await expect(`no flag ${key.slice(0, 20)}`, "FLAG_NOT_FOUND", 7, () => ask.getNumberDetails(key, 7));
    }
    await expect("TARGETING_KEY_MISSING at a ramp", "TARGETING_KEY_MISSING", true,
        () => ask.getBooleanDetails("half", true, { email: "ann@initech.com" }));
    await expect("TARGETING_KEY_MISSING at a split", "TARGETING_KEY_MISSING", "mine",
        () => ask.getStringDetails("model", "mine"));
    await expect("TARGETING_KEY_MISSING at a domain", "TARGETING_KEY_MISSING", true,
        () => ask.getBooleanDetails("targeted", true, { domain: "half.example" }));
    await expect("TYPE_MISMATCH string of boolean", "TYPE_MISMATCH", "mine", () => ask.getStringDetails("static", "mine"));
    await expect("TYPE_MISMATCH number of string", "TYPE_MISMATCH", 3, () => ask.getNumberDetails("a-string", 3));
    await expect("TYPE_MISMATCH boolean of object", "TYPE_MISMATCH", true, () => ask.getBooleanDetails("a-object", true));

    const stranger = await client(server.url, bearer(`ls_sdk-client_${"0".repeat(48)}`));
    await expect("a token that is not known", "GENERAL", true, () => stranger.getBooleanDetails("disabled", true));
    const nobody = await client(server.url);
    await expect("no token", "GENERAL", true, () => nobody.getBooleanDetails("disabled", true));
    const viewer = await client(server.url, bearer(await server.token("viewer")));
    await expect("a token of another role", "GENERAL", true, () => viewer.getBooleanDetails("disabled", true));
}

async function tokens(server) {
    for (const role of ["sdk-client", "sdk-server", "admin"]) {
        await test(`a token of role ${role}, in either header`, async () => {
            const token = await server.token(role);
            const byBearer = await client(server.url, bearer(token));
            const byKey = await client(server.url, { "X-API-Key": token });

            assert.equal(await byBearer.getBooleanValue("static", false), true);
            assert.equal(await byKey.getBooleanValue("static", false), true);
        });
    }
    await test("a token that was revoked", async () => {
        const { token, id } = await server.call("POST", "/api/v1/tokens", { role: "sdk-client", name: "brief" });
        const ask = await client(server.url, bearer(token));

        assert.equal(await ask.getBooleanValue("static", false), true);
        await server.call("DELETE", `/api/v1/tokens/${id}`);
        assert.equal(await ask.getBooleanValue("static", false), false);
    });
}

async function changes(server, ask) {
    await test("a change is answered at once", async () => {
        await server.alter("static", (flag) => { flag.state = "off"; });
        assert.equal((await ask.getBooleanDetails("static", true)).reason, "DISABLED");
        await server.alter("static", (flag) => { flag.state = "on"; });
        assert.equal(await ask.getBooleanValue("static", false), true);
    });
    await test("an archived flag is not found", async () => {
        const flag = await server.create({ key: "brief", state: "on" });

        assert.equal((await ask.getBooleanDetails("brief", true)).value, false);
        await server.call("DELETE", "/api/v1/flags/brief", undefined, { "If-Match": `"${flag.version}"` });
        assert.equal((await ask.getBooleanDetails("brief", true)).errorCode, "FLAG_NOT_FOUND");
    });
    await test("a server that goes and comes back", async () => {
        await server.stop();
        const gone = await ask.getBooleanDetails("static", false);
        assert.equal(gone.value, false);
        assert.equal(gone.reason, "ERROR");
        assert.equal(gone.errorCode, "GENERAL");
        await server.serve(server.address);
        assert.equal(await ask.getBooleanValue("static", false), true);
    });
}

export async function serverProvider() {
    const server = await Server.start();

    await makeFlags(server);
    const ask = await client(server.url, bearer(await server.token("sdk-client")));
    await values(ask);
    await reasons(ask);
    await buckets(ask);
    await failures(server, ask);
    await tokens(server);
    await changes(server, ask);
    await OpenFeature.close();
    await test("the server ends well", () => server.stop());
}
