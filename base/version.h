/* version - of the whole project: every program, the SDK and the pkg-config file say this. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#define LOCKSTEP_VERSION "0.1.0"

#endif
