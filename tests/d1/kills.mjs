// kill -9 in every arrow, forth and back, of operations on columns, tables and indexes and of
// hand-written SQL, for D1_KILL_SECONDS: each walk ends with the rows and the schema of one that was
// never killed (the case's seen.txt).
import { Engine, failures, same } from "./rig.mjs";
import { begin, fill, walk } from "./cases.mjs";

const kill_ms = 1000 * Number(process.env.D1_KILL_SECONDS ?? 60);
const names = ["rename_table", "drop_table", "create_table", "handwritten_move", "create_index", "rename_simple", "rename_table_without_rowid", "drop_index", "handwritten_backfill", "index_alone"];
const rounds_max = 12;
const states = ["pending", "expanded", "dual-writing", "in-sync", "contracted", "purged"];

// Every state on the way, each by a command of its own.
const by_arrows = (project, name) => async (wanted) => {
  const from = states.indexOf(await project.state("0007")), to = states.indexOf(wanted), step = Math.sign(to - from);
  for (let i = from; i !== to;) {
    i += step;
    const args = step > 0 ? ["apply", "--to", states[i], "--recovery-point", "none"] : ["rollback", "--to", states[i], "--recovery-point", "none"];
    if (!(await project.until("0007", states[i], args, { killing: 2, span_ms: 300 }))) throw new Error(`${name} did not come to ${states[i]}`);
  }
};

export default async function () {
  const databases = Array.from({ length: rounds_max }, (_, round) => names.map((name) => `${name}.${round}`)).flat();
  const engine = await Engine.start(databases), queue = [...databases], killed = {}, end = Date.now() + kill_ms;
  let walks = 0, kills = 0, runs = 0;
  const work = async () => {
    // each once, whatever the time
    while (queue.length > 0 && failures() === 0 && (Date.now() < end || databases.length - queue.length < names.length)) {
      const database = queue.shift(), name = database.replace(/\.\d+$/, ""), project = begin(engine, database, name);
      try {
        await fill(project, name);
        await walk(project, name, by_arrows(project, name));
      } catch (error) {
        same(`${database}: to its end`, "", String(error.stack ?? error));
      }
      walks++;
      kills += project.kills;
      runs += project.runs;
      for (const [arrow, count] of Object.entries(project.killed_in)) killed[arrow] = (killed[arrow] ?? 0) + count;
    }
  };
  await Promise.all([work(), work(), work(), work()]);
  same(`at least 100 kills (${kills})`, true, kills >= 100);
  same("in every arrow", 9, Object.keys(killed).length);
  console.log(`kill -9: ${kills} in ${runs} runs of ${walks} walks: ${Object.entries(killed).map(([arrow, count]) => `${arrow} ${count}`).join(", ")}`);
  await engine.stop();
}
