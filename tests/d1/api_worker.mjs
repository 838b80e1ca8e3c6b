// Cloudflare's REST API of D1, as far as `migrate` uses it, in workerd over the D1 binding: a request
// is one batch, so one transaction. What production has and this engine has not: Time Travel,
// import, export, 30 seconds a call, 1,200 requests in five minutes (the latter can be provoked).
//
//   GET  .../d1/database[?name=]      GET .../d1/database/ID      POST .../d1/database/ID/{raw,query}
//   POST .../d1/database {"name"} gives the first of the databases, DELETE .../d1/database/ID is noted
//   POST /test {"rate": N, "window_ms": N, "slow_ms": N, "lose": N, "every_ms": N, "log": true}: from
//        now on at most so many requests in a window, each slow; the answers of the next `lose` are
//        lost, the work is done; with every_ms one begins no sooner behind the other. Answers what was asked since the last time: {"requests", "rows_written", "changes"
//        (requests that changed the database), "statements" (with log)}

const none = () => ({ requests: 0, rows_written: 0, changes: 0, statements: [], deleted: [] });
const state = { rate: 0, window_ms: 1000, slow_ms: 0, lose: 0, log: false, every_ms: 0, next: 0, seen: [] };
let asked = none();

const reply = (status, body, headers = {}) =>
  new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } });
const done = (result) => reply(200, { success: true, errors: [], messages: [], result });
const refuse = (status, code, message, headers) =>
  reply(status, { success: false, errors: [{ code, message }], messages: [], result: [] }, headers);

// Whether more than one statement stands in the text: strings, names and comments are passed over, and
// the body of a trigger ends with END.
export function several(sql) {
  const bare = sql.replace(/'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?\*\//g, "x");
  const trigger = /^\s*CREATE\s+TRIGGER\b/i.test(bare);
  return (trigger ? bare.replace(/\bBEGIN\b[\s\S]*\bEND\b/i, "") : bare).replace(/;\s*$/, "").includes(";");
}

function over_rate() {
  const now = Date.now();
  state.seen = state.seen.filter((at) => now - at < state.window_ms);
  state.seen.push(now);
  return state.rate > 0 && state.seen.length > state.rate;
}

async function run(db, body, form) {
  const items = Array.isArray(body?.batch) ? body.batch : [body];
  for (const item of items) {
    if (typeof item?.sql !== "string") return refuse(400, 7400, "The request is malformed: sql");
    if (item.params?.length && several(item.sql)) {
      return refuse(400, 7400, "The request is malformed: params with multiple statements is not supported");
    }
  }
  if (state.log) asked.statements.push(...items.map((i) => i.sql));
  try {
    // The public batch() drops columns of one name and of empty results; the call behind it does not.
    const results = await db.alwaysPrimarySession._sendOrThrow(
      "/query", items.map((i) => i.sql), items.map((i) => i.params ?? []),
      form === "raw" ? "ROWS_AND_COLUMNS" : "ARRAY_OF_OBJECTS", { setAttribute() {} });
    const all = [results].flat();
    asked.rows_written += all.reduce((sum, { meta }) => sum + (meta.rows_written ?? 0), 0);
    asked.changes += all.some(({ meta }) => meta.changed_db);
    return done(all.map(({ results: rows, success, meta }) => ({ results: rows, success, meta })));
  } catch (error) {
    const said = error?.cause?.message ?? error?.message ?? String(error);
    return refuse(400, 7500, said.replace(/^D1_ERROR: /, ""));
  }
}

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (url.pathname === "/test") {
      const told = asked;
      asked = none();
      Object.assign(state, await request.json());
      return reply(200, told);
    }
    if (request.headers.get("authorization") !== `Bearer ${env.TOKEN}`) {
      return refuse(403, 10000, "Authentication error");
    }
    const match = /^\/client\/v4\/accounts\/[^/]+\/d1\/database(?:\/([^/]+)(?:\/(raw|query))?)?$/.exec(url.pathname);
    const about = (id) => ({ uuid: id, name: env.DATABASES[id].name, version: "production" });
    if (!match || (match[1] && !env.DATABASES[match[1]])) return refuse(404, 7404, "The database could not be found");
    if (request.method === "DELETE") {
      asked.deleted.push(match[1]);
      return done(null);
    }
    if (!match[1] && request.method === "POST") return done(about(Object.keys(env.DATABASES)[0]));
    if (!match[2]) {
      return done(match[1] ? about(match[1]) : Object.keys(env.DATABASES).map(about).filter((d) => d.name === (url.searchParams.get("name") ?? d.name)));
    }
    asked.requests++;
    if (over_rate()) return refuse(429, 10429, "Rate limited", { "retry-after": "1" });
    if (state.every_ms > 0) {
      state.next = Math.max(state.next + state.every_ms, Date.now());
      await new Promise((wake) => setTimeout(wake, state.next - Date.now()));
    }
    if (state.slow_ms > 0) await new Promise((wake) => setTimeout(wake, state.slow_ms));
    const answer = await run(env[env.DATABASES[match[1]].binding], await request.json().catch(() => null), match[2]);
    if (state.lose > 0) {
      state.lose--;
      return refuse(500, 7500, "internal error");
    }
    return answer;
  },
};
