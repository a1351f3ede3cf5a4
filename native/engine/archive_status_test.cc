// Tests of marking segments for the archiver.
// Goal: what is complete gets a mark, once; the segment that is being written, those after it, and what was archived get
// none. Method: a directory of empty files.
#include "engine/archive_status.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/test.h"

namespace pgdata {
namespace {

constexpr uint32_t segment_bytes = 16u << 20;

TEST(complete_segments_and_histories_are_marked_once) {
  std::string pattern = (std::filesystem::temp_directory_path() / "pgdata_archive_XXXXXX").string();
  const std::string directory = mkdtemp(pattern.data());
  const std::string statuses = directory + "/archive_status";
  std::filesystem::create_directory(statuses);
  const auto make = [&](const std::string& name) { std::ofstream(directory + "/" + name); };
  const auto has = [&](const std::string& name) {
    return std::filesystem::exists(statuses + "/" + name);
  };
  // 0xFE, 0xFF of the first id, 0 and 1 of the second.
  make("0000000100000000000000FE");
  make("0000000100000000000000FF");
  make("000000010000000100000000");
  make("000000010000000100000001");
  make("00000002.history");
  make("archive_status/0000000100000000000000FE.done");
  make("xlogtemp.1");
  ArchiveStatus status(posix_file_system(), directory, segment_bytes);
  ASSERT_OK(status.mark_complete((Lsn{1} << 32) + 100));
  EXPECT(!has("0000000100000000000000FE.ready"));
  EXPECT(has("0000000100000000000000FF.ready"));
  EXPECT(!has("000000010000000100000000.ready"));
  EXPECT(has("00000002.history.ready"));
  EXPECT(!has("xlogtemp.1.ready"));

  std::filesystem::rename(statuses + "/0000000100000000000000FF.ready",
                          statuses + "/0000000100000000000000FF.done");
  ASSERT_OK(status.mark_complete((Lsn{1} << 32) + segment_bytes));
  EXPECT(!has("0000000100000000000000FF.ready"));
  EXPECT(has("000000010000000100000000.ready"));
  EXPECT(!has("000000010000000100000001.ready"));
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace pgdata
