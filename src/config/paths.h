/* paths.h - the settings that are places of files, and hang on each other. */
#ifndef KK_CONFIG_PATHS_H
#define KK_CONFIG_PATHS_H

#include "config/config.h"

/* Fill the paths that are still "". INVALID when there is no home at all, NO_MEMORY. */
int kk_config_derive_paths(kk_config *config, kokoro_error *err);

#endif
