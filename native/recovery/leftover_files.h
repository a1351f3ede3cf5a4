// Files that a crash leaves behind and that no record speaks of.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "change/change.h"

namespace pgdata {

// Temporary files and relations of sessions that are gone. At every start, before anybody makes new ones.
// Source: RemovePgTempFiles in src/backend/storage/file/fd.c, PostgreSQL 18.
Status remove_temporary_files(StorageServices& services);
// The temporary files of a process that is gone.
Status remove_temporary_files(StorageServices& services, int32_t pid);
// The temporary relations of sessions that are gone, by their numbers in the process array.
Status remove_temporary_relations(StorageServices& services, const std::vector<int>& sessions);
// Everything of unlogged relations but their init forks; before replay.
Status remove_unlogged_contents(StorageServices& services);
// Makes unlogged relations anew from their init forks, which are on disk; after replay.
// Source: src/backend/storage/file/reinit.c, PostgreSQL 18.
Status make_unlogged_empty(StorageServices& services);
// Syncs everything, file by file or by file system: what a crash left unsynced, replay takes for done.
// Source: SyncDataDirectory in src/backend/storage/file/fd.c, PostgreSQL 18.
Status sync_data_directory(StorageServices& services);

}  // namespace pgdata
