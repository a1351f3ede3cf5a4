// What tests and benchmarks of this room stand on: a cluster's storage, log and pool below a temporary
// directory, and indexes over columns of a few types.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "btree/btree_index.h"
#include "buffer/buffer_pool.h"
#include "change/change.h"
#include "file/file_system.h"
#include "file/storage.h"
#include "shmem/segment.h"
#include "temp/temporary_space.h"
#include "wal/wal.h"

namespace pgdata::test {

inline constexpr TransactionId test_xid{100};

// A row as an index of one int4 column knows it.
struct Entry {
  int32_t key;
  ItemPointer tid;
  friend auto operator<=>(const Entry&, const Entry&) = default;
};

// As maintenance_work_mem.
inline constexpr uint64_t build_memory = 64u << 20;

inline constexpr RelFileLocator index_relation{default_tablespace_oid, 5, 16400};

inline void must(const Status& status) {
  if (status.is_ok()) return;
  std::fprintf(stderr, "%s\n", status.report().message.c_str());
  std::abort();
}

class BtreeFixture {
 public:
  explicit BtreeFixture(uint32_t block_size = 8192, uint32_t buffers = 4096) {
    std::string pattern = (std::filesystem::temp_directory_path() / "pgdata_btree_XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    std::filesystem::create_directories(directory_ + "/base/5");
    std::filesystem::create_directories(directory_ + "/pg_wal");
    storage_options.data_directory = directory_;
    storage_options.block_size = block_size;
    wal_options.directory = directory_ + "/pg_wal";
    wal_options.fsync = false;
    pool_options.buffers = buffers;
    pool_options.block_size = block_size;
    SegmentPlan plan;
    Wal::plan(plan, wal_options);
    BufferPool::plan(plan, pool_options);
    must(Segment::create("", plan, &segment));
    storage = std::make_unique<Storage>(posix_file_system(), storage_options);
    wal = std::make_unique<Wal>(posix_file_system(), *segment, state, wal_options);
    must(wal->create_log());
    pool = std::make_unique<BufferPool>(*segment, *storage, wal.get(), state, pool_options);
    services = std::make_unique<StorageServices>(StorageServices{state, *storage, *wal, *pool});
    temporary = std::make_unique<TemporarySpace>(*storage, state, nullptr, nullptr);
    must(storage->create(index_relation, ForkNumber::main));
  }
  ~BtreeFixture() {
    temporary.reset();
    services.reset();
    pool.reset();
    wal.reset();
    storage.reset();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  BtreeFixture(const BtreeFixture&) = delete;
  const std::string& directory() const { return directory_; }

  StorageOptions storage_options;
  WalOptions wal_options;
  BufferPoolOptions pool_options;
  ClusterState state;
  std::unique_ptr<Segment> segment;
  std::unique_ptr<Storage> storage;
  std::unique_ptr<Wal> wal;
  std::unique_ptr<BufferPool> pool;
  std::unique_ptr<StorageServices> services;
  std::unique_ptr<TemporarySpace> temporary;

 private:
  std::string directory_;
};

enum class TestType : uint8_t { int4, int8, text, float8, numeric };

inline Attribute attribute_of(TestType type) {
  Attribute attribute;
  switch (type) {
    case TestType::int4:
      attribute = {};
      attribute.atttypid = 23, attribute.attlen = 4, attribute.attbyval = true;
      break;
    case TestType::int8:
      attribute.atttypid = 20, attribute.attlen = 8, attribute.attbyval = true;
      attribute.attalign = 'd';
      break;
    case TestType::float8:
      attribute.atttypid = 701, attribute.attlen = 8, attribute.attbyval = true;
      attribute.attalign = 'd';
      break;
    case TestType::text:
      attribute.atttypid = 25, attribute.attlen = -1, attribute.attstorage = 'x';
      attribute.attcollation = 950;
      break;
    case TestType::numeric:
      attribute.atttypid = 1700, attribute.attlen = -1, attribute.attstorage = 'm';
      break;
  }
  return attribute;
}

inline ComparatorRequest comparator_of(TestType type) {
  ComparatorRequest request;
  switch (type) {
    case TestType::int4:
      request.opfamily = 1976, request.opcintype = 23;
      break;
    case TestType::int8:
      request.opfamily = 1976, request.opcintype = 20;
      break;
    case TestType::float8:
      request.opfamily = 1970, request.opcintype = 701;
      break;
    case TestType::text:
      request.opfamily = 1994, request.opcintype = 25, request.collation = 950;
      break;
    case TestType::numeric:
      request.opfamily = 1988, request.opcintype = 1700;
      break;
  }
  return request;
}

struct TestColumn {
  TestType type;
  uint16_t indoption = 0;
};

inline BtreeDefinition definition_of(const std::vector<TestColumn>& columns, bool unique = false) {
  BtreeDefinition definition;
  definition.relation = index_relation;
  definition.name = "test_index";
  definition.unique = unique;
  for (const TestColumn& column : columns) {
    definition.columns.attributes.push_back(attribute_of(column.type));
    definition.keys.push_back({comparator_of(column.type), column.indoption});
  }
  return definition;
}

inline std::unique_ptr<BtreeIndex> index_of(BtreeDefinition definition,
                                            uint32_t block_size = 8192) {
  std::unique_ptr<BtreeIndex> index;
  must(BtreeIndex::create(std::move(definition), block_size, &index));
  return index;
}

}  // namespace pgdata::test
