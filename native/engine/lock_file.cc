// postmaster.pid: replacing the lines that name the owner.
#include "engine/lock_file.h"

#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "shmem/process_table.h"

namespace pgdata {

namespace {

// Lines, from 0. The last two are ours: boot id and start time of the process.
constexpr size_t pid_line = 0;
constexpr size_t segment_line = 6;
constexpr size_t process_start_line = 9;
constexpr size_t line_count = 10;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines(line_count);
  size_t start = 0;
  for (std::string& line : lines) {
    const size_t end = text.find('\n', start);
    if (end == std::string::npos) break;
    line = text.substr(start, end - start);
    start = end + 1;
  }
  return lines;
}

}  // namespace

Status take_over_lock_file(FileSystem& files, const std::string& data_directory, int segment) {
  const std::string path = data_directory + "/postmaster.pid";
  std::string text;
  Status read = read_whole_file(files, path, &text);
  if (!read.is_ok() && read.code() != ErrorCode::undefined_file) return read;
  std::vector<std::string> lines = lines_of(text);
  char shared_memory[48];
  std::snprintf(shared_memory, sizeof(shared_memory), "%9lu %9lu", 0ul,
                static_cast<unsigned long>(segment));
  lines[pid_line] = std::to_string(getpid());
  lines[segment_line] = shared_memory;
  lines[process_start_line] = std::to_string(process_start_time(getpid()));
  std::string contents;
  for (const std::string& line : lines) contents += line + "\n";
  return replace_file_durably(files, path, contents);
}

}  // namespace pgdata
