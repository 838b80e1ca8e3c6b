// `migrate` and the driver against D1's own engine: node main.mjs BUILD CLIENTS WORK [MODULE...]
import { finish, same } from "./rig.mjs";

const all = ["walk", "kills", "cases", "chinook", "wrangler", "coupling", "counts", "rehearse", "live"];
for (const name of process.argv.length > 5 ? process.argv.slice(5) : all) {
  const began = performance.now();
  try {
    await (await import(`./${name}.mjs`)).default();
  } catch (error) {
    same(`${name} went to its end`, "", String(error.stack ?? error));
  }
  console.log(`${name}: ${((performance.now() - began) / 1000).toFixed(0)} s`);
}
finish();
process.exit(); // an engine that a failure left running
