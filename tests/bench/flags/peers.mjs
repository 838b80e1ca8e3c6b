// Times other flag evaluators on the flag of bench_flags:
//     node peers.mjs FOLDER_WITH_NODE_MODULES
// A rule (four terms, no regular expression) that serves a split of two variants, half and
// half, to sixteen contexts that match. Prints "NAME NS" lines, the median of nine rounds; all take
// turns.
import {createRequire} from 'node:module';
import path from 'node:path';
import {pathToFileURL} from 'node:url';

const require = createRequire(pathToFileURL(path.resolve(process.argv[2], 'x.js')));
const ROUNDS = 9;
const ROUND_MS = 6;
const contexts = Array.from({length: 16}, (_, i) => ({
  key: `user-${i}`, domain: i % 2 ? 'acme.com' : 'globex.com', plan: 'pro', version: 43, email: `bob${i}@acme.com`,
}));

// Each makes the contexts as it wants them and a function from one of those to a variant's name.
function flagd() {
  const {FlagdCore} = require('@openfeature/flagd-core');
  const silent = {error() {}, warn() {}, info() {}, debug() {}};
  const core = new FlagdCore(undefined, silent);
  core.setConfigurations(JSON.stringify({flags: {f: {
    state: 'ENABLED', variants: {on: true, off: false}, defaultVariant: 'off',
    targeting: {if: [
      {and: [{in: [{var: 'domain'}, ['acme.com', 'globex.com']]}, {'===': [{var: 'plan'}, 'pro']}, {'>=': [{var: 'version'}, 42]},
        {ends_with: [{var: 'email'}, '.com']}]},
      {fractional: [{var: 'targetingKey'}, ['on', 50], ['off', 50]]}, 'off']},
  }}}));
  return {
    contexts: contexts.map(({key, ...rest}) => ({targetingKey: key, ...rest})),
    run: context => core.resolveBooleanEvaluation('f', false, context, silent).variant,
  };
}

function growthbook() {
  const {GrowthBookClient} = require('@growthbook/growthbook');
  const client = new GrowthBookClient().initSync({payload: {features: {f: {
    defaultValue: 'off',
    rules: [{condition: {domain: {$in: ['acme.com', 'globex.com']}, plan: 'pro', version: {$gte: 42}, email: {$regex: '[.]com$'}},
      variations: ['on', 'off'], weights: [0.5, 0.5], coverage: 1, hashAttribute: 'id', key: 'f'}],
  }}}});
  return {
    contexts: contexts.map(({key, ...rest}) => ({attributes: {id: key, ...rest}})),
    run: context => client.evalFeature('f', context).value,
  };
}

function unleash() {
  const Client = require('unleash-client/lib/client').default;
  const {defaultStrategies} = require('unleash-client/lib/strategy');
  const flag = {
    name: 'f', enabled: true, type: 'release', project: 'p', stale: false, impressionData: false, variants: [],
    strategies: [{
      name: 'flexibleRollout', parameters: {rollout: '100', stickiness: 'userId', groupId: 'f'},
      constraints: [
        {contextName: 'domain', operator: 'IN', values: ['acme.com', 'globex.com'], inverted: false},
        {contextName: 'plan', operator: 'IN', values: ['pro'], inverted: false},
        {contextName: 'version', operator: 'NUM_GTE', value: '42', values: [], inverted: false},
        {contextName: 'email', operator: 'STR_ENDS_WITH', values: ['.com'], inverted: false},
      ],
      variants: [{name: 'on', weight: 500, stickiness: 'userId'}, {name: 'off', weight: 500, stickiness: 'userId'}],
    }],
  };
  const client = new Client({getToggle: () => flag, getSegment: () => undefined}, defaultStrategies);
  return {
    contexts: contexts.map(({key, domain, plan, version, email}) => ({userId: key, properties: {domain, plan, email, version: String(version)}})),
    run: context => client.getVariant('f', context).name,
  };
}

const works = [];
for (const [name, make] of [['@openfeature/flagd-core', flagd], ['@growthbook/growthbook', growthbook], ['unleash-client', unleash]]) {
  try {
    works.push({name, times: 64, ns: [], ...make()});
  } catch (error) {
    console.error(`left out: ${name}: ${error.message}`);
  }
}

function once({name, contexts: all, run, times}) {
  let on = 0, off = 0;
  const began = process.hrtime.bigint();
  for (let i = 0; i < times; i++) {
    const variant = run(all[i & 15]);
    if (variant === 'on') on++;
    else if (variant === 'off') off++;
  }
  const ns = Number(process.hrtime.bigint() - began);
  if (on + off !== times || on === 0 || off === 0) throw new Error(`${name} splits ${times} into ${on} and ${off}`);
  return ns;
}

// Warm, and find how often fills a round.
for (const work of works) while (once(work) < ROUND_MS * 1e6) work.times *= 2;
for (let round = 0; round < ROUNDS; round++) for (const work of works) work.ns.push(once(work) / work.times);
for (const {name, ns} of works) console.log(name, ns.sort((a, b) => a - b)[ROUNDS >> 1].toFixed(1));
