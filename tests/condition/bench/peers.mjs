// Times JavaScript engines on the rules of bench_condition:
//     node peers.mjs CONTEXTS.json FOLDER_WITH_NODE_MODULES
// Prints "ENGINE FORM NS" lines, the median of nine rounds; all engines take turns.
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {pathToFileURL} from 'node:url';
import path from 'node:path';

const [contextsFile, folder] = process.argv.slice(2);
const rules = JSON.parse(readFileSync(contextsFile, 'utf8'));
const resolve = createRequire(pathToFileURL(path.resolve(folder, 'x.js'))).resolve;
const load = async name => {
  const module = await import(pathToFileURL(resolve(name)).href);
  return module.default ?? module;
};
const ROUNDS = 9;
const ROUND_MS = 4;

// An engine makes, for each form, a function of one context; and says how it wants integers.
async function bufbuild() {
  const {celEnv, parse, plan, CelScalar} = await load('@bufbuild/cel');
  const {STRING, INT} = CelScalar;
  const env = celEnv({variables: {domain: STRING, plan: STRING, version: INT, email: STRING}});
  return {integer: BigInt, make: form => plan(env, parse(form.source))};
}

async function marcbachmann() {
  const {Environment} = await load('@marcbachmann/cel-js');
  const env = new Environment();
  for (const name of ['domain', 'plan', 'email']) env.registerVariable(name, 'string');
  env.registerVariable('version', 'int');
  return {integer: BigInt, make: form => env.parse(form.source)};
}

// JSON Logic is not CEL: the rule is written out, with functions for what it lacks.
async function jsonLogic() {
  const {LogicEngine} = await load('json-logic-engine');
  const engine = new LogicEngine();
  const pattern = new RegExp(rules.pattern);
  engine.addMethod('matches', ([text]) => pattern.test(text), {deterministic: true, sync: true});
  engine.addMethod('ends', ([text, end]) => text.endsWith(end), {deterministic: true, sync: true});
  const single = {'===': [{var: 'plan'}, 'pro']};
  const four = last => ({
    and: [{in: [{var: 'domain'}, ['acme.com', 'globex.com']]}, single, {'>=': [{var: 'version'}, 42]}, last],
  });
  const regex = four({matches: [{var: 'email'}]});
  const forms = {regex, miss: regex, 'no-regex': four({ends: [{var: 'email'}, '.com']}), single};
  return {integer: Number, make: form => engine.build(forms[form.name])};
}

const works = [];
for (const [name, open] of [
  ['@bufbuild/cel', bufbuild],
  ['@marcbachmann/cel-js', marcbachmann],
  ['json-logic-engine', jsonLogic],
]) {
  try {
    const {integer, make} = await open();
    for (const form of rules.forms) {
      const contexts = (form.holds ? rules.hits : rules.misses).map(c => ({...c, version: integer(c.version)}));
      works.push({name, form, contexts, run: make(form), times: 64, ns: []});
    }
  } catch (error) {
    console.error(`left out: ${name}: ${error.message}`);
  }
}

function once({run, contexts, times, form, name}) {
  let yes = 0;
  const began = process.hrtime.bigint();
  for (let i = 0; i < times; i++) if (run(contexts[i & 15]) === true) yes++;
  const ns = Number(process.hrtime.bigint() - began);
  if (yes !== (form.holds ? times : 0)) throw new Error(`${name} gives wrong answers for ${form.name}`);
  return ns;
}

for (const work of works) {
  // Warm, and find how often fills a round.
  while (once(work) < ROUND_MS * 1e6) work.times *= 2;
}
for (let round = 0; round < ROUNDS; round++)
  for (const work of works) work.ns.push(once(work) / work.times);
for (const {name, form, ns} of works)
  console.log(name, form.name, ns.sort((a, b) => a - b)[ROUNDS >> 1].toFixed(3));
