/*
 * manual - what migrate(1) says beside its commands: states, files, gates, and a walk.
 */
#ifndef MIGRATOR_MANUAL_H
#define MIGRATOR_MANUAL_H

#include "base/cli.h"

extern const struct cli_section migrate_manual[];

#endif
