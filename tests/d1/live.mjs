// tests/d1/live.sh, which is for a real account, against the API on workerd; and what it says without.
import { join } from "node:path";
import { Engine, Project, build, here, matches, run, same } from "./rig.mjs";

export default async function () {
  const engine = await Engine.start(["spare"]), { env } = new Project(engine, "spare"), script = join(here, "live.sh");
  const got = await run(script, [], { env: { ...env, BUILD: build, CLOUDFLARE_ACCOUNT_ID: "acc" } });
  same(`the live script: ${got.code === 0 ? "" : got.said.slice(-2000)}`, 0, got.code);
  matches("the live script", /D1, live: a walk in \d+ s, Time Travel: no\n\d+ passed, 0 failed/, got.said);
  const { requests, rows_written, deleted } = await engine.provoke();
  same("the database was deleted", [engine.id.spare], deleted);
  const without = await run(script, [], { env: { ...env, BUILD: build, CLOUDFLARE_ACCOUNT_ID: "", CLOUDFLARE_API_TOKEN: "" } });
  same("without an account", [0, "D1, live: not run, CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID are not set\n"], [without.code, without.said]);
  const stranger = await run(script, [], { env: { ...env, BUILD: build, CLOUDFLARE_ACCOUNT_ID: "acc", CLOUDFLARE_API_TOKEN: "wrong" } });
  same("a wrong token", 1, stranger.code);
  matches("a wrong token", /no database could be made.*Authentication/, stranger.said);
  console.log(`the live script on workerd: ${requests} requests, ${rows_written} rows written`);
  await engine.stop();
}
