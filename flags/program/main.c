/*
 * flags - feature flags for the people who decide about them; talks to the flag server over HTTP.
 */
#include "flags/program/change.h"
#include "flags/program/commands.h"

static const struct cli_option global_options[] = {
    {"server", 's', "URL", "the flag server (or LOCKSTEP_URL)", false},
    {"token-file", 't', "FILE", "a file with the token (or LOCKSTEP_TOKEN holds it)", false},
    {"environment", 'e', "NAME", "which environment (or FLAGS_ENVIRONMENT; default: the token's)",
     false},
    {"reason", 'r', "TEXT", "why, for the audit", false},
    {0}};

static const struct cli_option create_options[] = {
    {"type", 0, "TYPE", "boolean (default), string, number or object", false},
    {"variants", 0, "JSON", "names and values: '{\"blue\": \"#00f\", \"red\": \"#f00\"}'", false},
    {"off-variant", 0, "NAME", "what it answers while it is off", false},
    {"description", 'd', "TEXT", "what it is for", false},
    {"owner", 'o', "NAME", "whose it is", false},
    {"until", 'u', "DATE", "when it shall be gone: 2027-01-31, or never", false},
    {"tags", 0, "A,B", "words to find it by", false},
    {"bucket-by", 0, "PATH", "the attribute that ramps go by (default targetingKey)", false},
    {0}};

static const struct cli_option set_options[] = {
    {"description", 'd', "TEXT", "what it is for", false},
    {"owner", 'o', "NAME", "whose it is", false},
    {"until", 'u', "DATE", "when it shall be gone: 2027-01-31, or never", false},
    {"tags", 0, "A,B", "words to find it by", false},
    {0}};

static const struct cli_option list_options[] = {
    {"archived", 'a', NULL, "those in the archive", false}, {0}};

static const struct cli_option show_options[] = {
    {"everywhere", 'a', NULL, "what it does in each environment", false}, {0}};

static const struct cli_option stale_options[] = {
    {"days", 'n', "N", "how long everybody has had the same (default 30)", false}, {0}};

static const struct cli_option environments_options[] = {
    {"like", 'l', "NAME", "create: its flags begin as they are there (default: off)", false}, {0}};

static const struct cli_option promote_options[] = {
    {"from", 'f', "ENVIRONMENT", "where the flag is as it shall be", false},
    {"to", 0, "ENVIRONMENT", "where it shall be so (default: --environment)", false},
    {"only", 0, "PARTS", "of state, individual, domains, rules, fallthrough: rules,fallthrough",
     false},
    {"dry-run", 'n', NULL, "only say what would change", false},
    {"yes", 'y', NULL, "do not ask", false},
    {"reassign", 0, NULL, "also what gives people other variants than they have", false},
    {0}};

static const struct cli_option ramp_options[] = {
    {"to", 0, "PERCENT", "0% to 100%, at most three decimals", false},
    {"domain", 'd', "DOMAIN", "for this customer: acme.com, or *.acme.com for what is below",
     false},
    {"rule", 0, "NAME", "for whom this rule matches", false},
    {"variant", 0, "NAME", "which variant, where there are more than two", false},
    {0}};

static const struct cli_option rule_options[] = {
    {"when", 'w', "CONDITION", "whom it matches: \"plan == 'pro'\"", false},
    {"segment", 0, "NAME", "or: those of this segment", false},
    {"to", 0, "PERCENT", "how many of them get the variant (default 100%)", false},
    {"variant", 0, "NAME", "which variant, where there are more than two", false},
    {"on-error", 0, "skip|stop", "where the condition fails: go on, or the off variant", false},
    {0}};

static const struct cli_option rule_set_options[] = {
    {"when", 'w', "CONDITION", "whom it matches: \"plan == 'pro'\"", false},
    {"on-error", 0, "skip|stop", "where the condition fails: go on, or the off variant", false},
    {0}};

static const struct cli_option eval_options[] = {
    {"domain", 'd', "DOMAIN", "the customer", false},
    {"key", 'k', "KEY", "the targeting key: who asks", false},
    {"context", 'c', "JSON", "more attributes: '{\"plan\": \"pro\"}'", false},
    {"explain", 'x', NULL, "every step, with the values of the conditions", false},
    {0}};

static const struct cli_option why_options[] = {
    {"domain", 'd', "DOMAIN", "the customer", false},
    {"key", 'k', "KEY", "the targeting key: who asks", false},
    {"context", 'c', "JSON", "more attributes: '{\"plan\": \"pro\"}'", false},
    {0}};

static const struct cli_option domains_options[] = {
    {"percent-below", 0, "PERCENT", "only those that get less, or what the rules say", false},
    {"export", 0, "FILE", "write all of them as CSV; -: on stdout", false},
    {"import", 0, "FILE", "add and change customers as a CSV file says; -: from stdin", false},
    {"replace", 0, NULL, "with --import: remove those that the file does not name", false},
    {"dry-run", 0, NULL, "with --import: only say what would change", false},
    {"wide", 0, NULL, "with --import: also public suffixes such as *.co.uk", false},
    {"reassign", 0, NULL, "with --import: also what gives people other variants than they have",
     false},
    {0}};

static const struct cli_option audit_options[] = {
    {"limit", 'n', "N", "how many (default 50, at most 1000)", false},
    {"before", 'b', "ID", "only those older than this one", false},
    {0}};

static const struct cli_option diff_options[] = {
    {"prune", 0, NULL, "flags without a file are to be archived", false}, {0}};

static const struct cli_option apply_options[] = {
    {"dry-run", 'n', NULL, "only say what would be done", false},
    {"prune", 0, NULL, "archive flags that have no file", false},
    {"reassign", 0, NULL, "also what gives people other variants than they have", false},
    {0}};

static const struct cli_option pin_options[] = {
    {"subject", 's', "KEY", "who: the targeting key", false},
    {"variant", 0, "NAME", "what it gets", false},
    {0}};

static const struct cli_option unpin_options[] = {
    {"subject", 's', "KEY", "who: the targeting key", false}, {0}};

static const struct cli_option require_options[] = {
    {"variant", 0, "NAME", "one that the other must give (default on)", true}, {0}};

static const struct cli_option split_options[] = {
    {"domain", 'd', "DOMAIN", "for this customer", false},
    {"rule", 0, "NAME", "for whom this rule matches", false},
    {"reassign", 0, NULL, "also where that gives people other variants than they have", false},
    {0}};

static const struct cli_option segment_options[] = {
    {"when", 'w', "CONDITION", "who is in it: \"plan == 'pro'\"", false},
    {"key", 'k', "KEY", "a targeting key more", true},
    {"domain", 'd', "DOMAIN", "a domain more", true},
    {"remove-key", 0, "KEY", "a targeting key less", true},
    {"remove-domain", 0, "DOMAIN", "a domain less", true},
    {"keys", 0, "FILE", "these keys instead: one a line", false},
    {"domains", 0, "FILE", "these domains instead: one a line", false},
    {"description", 0, "TEXT", "what it is for", false},
    {0}};

static const struct cli_option layer_options[] = {
    {"to", 0, "PERCENT", "resize: how much of the layer the flag owns", false},
    {"bucket-by", 0, "PATH", "create: the attribute that it goes by (default targetingKey)", false},
    {"description", 0, "TEXT", "create: what it is for", false},
    {"reassign", 0, NULL, "also what gives people another flag than they have", false},
    {0}};

static const struct cli_option schedule_options[] = {
    {"at", 0, "TIME", "when: 2027-01-31T18:00:00Z, or from now on +90m, +2h, +7d", false},
    {"not-after", 0, "TIME", "drop it if the server was down until then", false},
    CHANGE_OPTIONS,
    {"from", 0, "ENVIRONMENT", "make it do what it does there (promote)", false},
    {0}};

static const struct cli_option simulate_options[] = {
    CHANGE_OPTIONS,
    {"file", 'f', "FILE", "or the whole flag as it would be", false},
    {"contexts", 'c', "FILE", "who: a JSON object a line; - is the standard input", false},
    {"limit", 'n', "N", "how many of those who change to list (default 20)", false},
    {0}};

static const struct cli_option token_options[] = {
    {"role", 0, "ROLE", "admin, sdk-server, sdk-client, viewer, editor, pipeline", false},
    {"name", 'n', "NAME", "who uses it; stands in the audit (default: the role)", false},
    {"everywhere", 0, NULL, "for all environments (an admin's always is)", false},
    {0}};

static const struct cli_command commands[] = {
    {"create", "KEY", "make a flag, which is off",
     "A boolean flag has the variants on and off. Others need --variants. The key stays for good: "
     "small letters, digits, '.', '_' and '-'.",
     create_options, 1, 1, cmd_create},
    {"list", "", "all flags", NULL, list_options, 0, 0, cmd_list},
    {"show", "KEY", "one flag: who gets what", NULL, show_options, 1, 1, cmd_show},
    {"set", "KEY", "say what a flag is for, whose it is, until when",
     "These are the same in all environments. An empty text takes one away.", set_options, 1, 1,
     cmd_set},
    {"on", "KEY", "turn a flag on", "From then on its rules decide who gets what.", NULL, 1, 1,
     cmd_on},
    {"off", "KEY", "turn a flag off: everybody gets the off variant", NULL, NULL, 1, 1, cmd_off},
    {"ramp", "KEY", "give it to more or fewer: everybody, one customer, one rule",
     "Raising a percentage only adds subjects, lowering it takes back those who were added last. "
     "Without --domain or --rule it is for everybody whom no rule matches. Where a database "
     "migration needs the flag as it is, the change is refused (exit code 3) with the command that "
     "goes first.",
     ramp_options, 1, 1, cmd_ramp},
    {"rule-add", "KEY NAME", "add a rule behind the others",
     "The first rule that matches decides, after the customers' own percentages.", rule_options, 2,
     2, cmd_rule_add},
    {"rule-set", "KEY NAME", "change a rule's condition, or what its failure means",
     "A condition fails where an attribute that it reads is absent. Then everybody concerned gets "
     "the "
     "off variant (stop), or the next rule is asked (skip).",
     rule_set_options, 2, 2, cmd_rule_set},
    {"rule-remove", "KEY NAME", "remove a rule", NULL, NULL, 2, 2, cmd_rule_remove},
    {"domains", "KEY", "the customers that have a rule of their own, and what each gets",
     "With --percent-below 100 it shows who is not across yet. A CSV file has a heading "
     "(domain,variant,percent) and "
     "a row for each customer: acme.com,on, for all of them, *.acme.com,on,25 for a quarter, "
     "acme.com,(rules), for what the "
     "rules say. It is taken as a whole or not at all; mistakes are told with their lines.",
     domains_options, 1, 1, cmd_domains},
    {"domain-remove", "KEY DOMAIN", "remove the rule of one customer",
     "From then on the customer gets what the rules say, and behind them everybody.", NULL, 2, 2,
     cmd_domain_remove},
    {"who", "KEY", "who can get anything but the off variant", NULL, NULL, 1, 1, cmd_who},
    {"why", "KEY", "what somebody gets, step by step, and what a schema allows",
     "The whole decision: every rule in order, with the values of its condition.", why_options, 1,
     1, cmd_why},
    {"eval", "KEY", "what somebody gets, and why",
     "Answers as a service would be answered, from the ruleset served now.", eval_options, 1, 1,
     cmd_eval},
    {"pin", "KEY", "give one subject a variant, whatever the rules say",
     "Only prerequisites and a layer come before.", pin_options, 1, 1, cmd_pin},
    {"unpin", "KEY", "let the rules decide for a subject again", NULL, unpin_options, 1, 1,
     cmd_unpin},
    {"pins", "KEY", "the subjects that are pinned", NULL, NULL, 1, 1, cmd_pins},
    {"require", "KEY OTHER", "let a flag wait for another",
     "Who does not get one of these variants of the other flag gets the off variant of this one. "
     "Flags that would wait for each other in a circle are refused.",
     require_options, 2, 2, cmd_require},
    {"unrequire", "KEY OTHER", "a flag does not wait for another any more", NULL, NULL, 2, 2,
     cmd_unrequire},
    {"split", "KEY VARIANT=PERCENT...", "give parts of the subjects different variants",
     "Percentages sum to 100. Other weights than before move the fewest subjects, and need "
     "--reassign.",
     split_options, 2, -1, cmd_split},
    {"segments", "[list | show|create|set|delete KEY]", "named sets of subjects, for rules",
     "By targeting keys, by domains, by a condition, which may ask segment(\"other\"). A change is "
     "a "
     "change of each flag that uses it. One that is used is not deleted.",
     segment_options, 0, 2, cmd_segments},
    {"layers", "[list | show|create|delete LAYER | resize|remove LAYER FLAG]",
     "flags that never share a subject",
     "Each flag of a layer owns a part of its subjects; the others get its off variant. Resizing "
     "takes from what is free, or gives back to it.",
     layer_options, 0, 3, cmd_layers},
    {"schedule", "KEY", "make a change at a time",
     "The server makes it, as you, once; after it was down, late, unless --not-after. What a "
     "schema "
     "does not bear at that time fails, which flags schedules shows.",
     schedule_options, 1, 1, cmd_schedule},
    {"schedules", "[KEY]", "what is to be changed at a time, and what came of it", NULL, NULL, 0, 1,
     cmd_schedules},
    {"unschedule", "ID", "cancel a change that is still to come", NULL, NULL, 1, 1, cmd_unschedule},
    {"simulate", "KEY", "who would change, before a change is made",
     "Evaluates each context of a file with the flag as it is and as it would be, and asks the "
     "server whether a schema bears it. Nothing is changed.",
     simulate_options, 1, 1, cmd_simulate},
    {"export", "DIR", "write all flags, segments and layers into a folder, a file each",
     "A file that says the same already is left alone.", NULL, 1, 1, cmd_export},
    {"diff", "DIR", "what applying a folder would change",
     "Exit code 0: nothing; 5: something. A flag that has no file is left alone, unless --prune.",
     diff_options, 1, 1, cmd_diff},
    {"apply", "DIR", "make the flags as a folder says",
     "Makes and changes flags, each over the version that was compared. Applied again it changes "
     "nothing. A file that is wrong is told before anything is changed; a change that is refused, "
     "as when a schema does not bear it, keeps none of the others from being made.",
     apply_options, 1, 1, cmd_apply},
    {"audit", "[KEY]", "who changed what, newest first", NULL, audit_options, 0, 1, cmd_audit},
    {"promote", "KEY", "make a flag do in one environment what it does in another",
     "Shows what changes, and asks before it does it (--yes: does not ask; else exit code 3 "
     "without a "
     "terminal). Salts are the same everywhere, so the same people are in. What a schema does not "
     "bear in the target is refused as in every change.",
     promote_options, 1, 1, cmd_promote},
    {"environments", "[create NAME | rename NAME NEW | delete NAME]",
     "the environments of the server",
     "Every flag is in each of them, and does there what was said there. One is not deleted while "
     "somebody asked it within an hour, nor while a migration is on its way there.",
     environments_options, 0, 3, cmd_environments},
    {"stale", "", "flags that may have done their work",
     "Those past the end that was expected of them, those that give everybody the same for a "
     "long time, unless they are there to stay (--until never), and those that no service asks "
     "for. Exit code 0: none; 5: some.",
     stale_options, 0, 0, cmd_stale},
    {"archive", "KEY", "retire a flag: clients play their own default",
     "In all environments. The key is not given out again.", NULL, 1, 1, cmd_archive},
    {"restore", "KEY", "take a flag out of the archive, as it was", NULL, NULL, 1, 1, cmd_restore},
    {"unhold", "KEY [MIGRATION]", "give a flag free that a migrate held when it was killed",
     "Needs --reason and an admin's token. First look whether it is really gone: while it is at "
     "work "
     "the hold stays. Running migrate again is the better way: it goes on, or gives the flag free "
     "itself. From contracted on the flag cannot be given free: migrate rollback --to in-sync goes "
     "first.",
     NULL, 1, 2, cmd_unhold},
    {"untie", "KEY [MIGRATION]", "forget that a migration waits for a flag: its database is gone",
     "Needs --reason, and an admin's token unless the migration is pending. Afterwards nothing "
     "keeps "
     "the flag from an answer that the schema does not bear.",
     NULL, 1, 2, cmd_untie},
    {"clients", "", "which services poll, and what each serves", NULL, NULL, 0, 0, cmd_clients},
    {"token", "create|list|revoke [ID]", "tokens for services and people",
     "A new token is shown once.", token_options, 1, 2, cmd_token},
    {0}};

static const struct cli_program program = {
    "flags",
    "turn features on, customer by customer",
    global_options,
    commands,
    "Environment: LOCKSTEP_URL, LOCKSTEP_TOKEN, FLAGS_ENVIRONMENT.",
    NULL};

int main(int argc, char **argv)
{
    return cli_main(&program, argc, argv, NULL);
}
