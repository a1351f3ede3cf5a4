// Whole directories: copied, removed, synced.
#pragma once

#include <string>

#include "base/status.h"
#include "file/file_system.h"

namespace pgdata {

// Copies a file to one that must not exist.
Status copy_file(FileSystem& files, const std::string& from, const std::string& to, bool sync);
// Copies the regular files of a directory of relations (not what sessions keep there for themselves) into a new one,
// and with `sync` makes them last.
Status copy_directory(FileSystem& files, const std::string& from, const std::string& to, bool sync);
// Removes a file or a directory with all in it; nothing there is no error. Links are removed, not followed.
Status remove_directory_tree(FileSystem& files, const std::string& path);
// fsync of every file and directory below `path`. Links are not followed; what vanishes meanwhile is passed over.
Status sync_directory_tree(FileSystem& files, const std::string& path);
// Whether a file name is that of a temporary relation ("t3_16384"), which is nobody's but its session's.
bool is_temporary_relation(const std::string& name);

}  // namespace pgdata
