// What tests of operators stand on: an execution, rows that an operator gives, and those that come out of one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "executor/operator.h"
#include "executor/value_type.h"
#include "tuple/varlena.h"
#include "xact/test_cluster.h"

namespace pgdata::test {

inline constexpr ValueType int4_type = {type_oid::int4, 4, true, invalid_oid, invalid_oid};
inline constexpr ValueType int8_type = {type_oid::int8, 8, true, invalid_oid, invalid_oid};
inline constexpr ValueType text_type = {type_oid::text, -1, false, 950, invalid_oid};

// Values as texts; nothing: null.
using TextRow = std::vector<std::optional<std::string>>;

inline Datum datum_of(const std::string& text, const ValueType& type, Arena& arena) {
  if (type.by_value) return static_cast<Datum>(std::stoll(text));
  std::byte* bytes = arena.allocate(VARHDRSZ + text.size());
  set_varlena_size_4b(bytes, static_cast<uint32_t>(VARHDRSZ + text.size()));
  std::memcpy(bytes + VARHDRSZ, text.data(), text.size());
  return pointer_datum(bytes);
}

inline std::string text_of(Datum value, const ValueType& type) {
  if (!type.by_value) return std::string(varlena_content(value));
  return std::to_string(type.length == 4 ? static_cast<int32_t>(value)
                                         : static_cast<int64_t>(value));
}

// Gives rows in batches of a few; comes back with nothing now and then, as operators do whose time is up.
class GivenRows final : public Operator {
 public:
  GivenRows(Execution& execution, std::vector<ValueType> types, std::vector<TextRow> rows)
      : Operator(execution),
        types_(std::move(types)),
        rows_(std::move(rows)),
        out_(account(), types_.size()) {}

 protected:
  Status produce(const Batch** batch, Progress* progress) override {
    constexpr uint32_t rows_each = 100;
    pauses_ = !pauses_;
    if (pauses_) return *progress = Progress::paused, Status::ok;
    out_.clear();
    Batch& out = out_.batch();
    for (; next_ < rows_.size() && out.rows < rows_each; next_++, out.rows++) {
      for (size_t i = 0; i < types_.size(); i++) {
        const auto& text = rows_[next_][i];
        out.columns[i].nulls[out.rows] = text ? 0 : 1;
        out.columns[i].values[out.rows] = text ? datum_of(*text, types_[i], out_.arena()) : 0;
      }
    }
    *batch = &out;
    *progress = out.rows > 0 ? Progress::rows : Progress::ended;
    return Status::ok;
  }

 private:
  const std::vector<ValueType> types_;
  const std::vector<TextRow> rows_;
  size_t next_ = 0;
  bool pauses_ = false;
  BatchStorage out_;
};

class OperatorFixture {
 public:
  explicit OperatorFixture(const ExecutionLimits& limits)
      : backend_(cluster_.backend()),
        space_(cluster_.storage(), cluster_.state(), nullptr, nullptr),
        execution_(
            std::make_unique<Execution>(ReadContext(*backend_), Snapshot{}, limits, space_)) {}
  ~OperatorFixture() {
    const std::shared_ptr<MemoryAccount> account = execution_->account;
    execution_.reset();
    EXPECT_EQ(account->held(), size_t{0});
    EXPECT_EQ(file_count(), size_t{0});
  }

  Execution& execution() { return *execution_; }
  size_t file_count() {
    std::vector<std::string> found;
    const std::string directory = cluster_.directory() + "/base/pgsql_tmp";
    return posix_file_system().list(directory, &found).is_ok() ? found.size() : 0;
  }

  // All that the operator gives.
  std::vector<TextRow> run(Operator& root, const std::vector<ValueType>& types) {
    std::vector<TextRow> rows;
    for (;;) {
      execution_->begin_call();
      const Batch* batch = nullptr;
      Progress progress{};
      TestCluster::must(root.next(&batch, &progress));
      root.pause();
      if (progress == Progress::ended) return rows;
      if (progress == Progress::paused) continue;
      EXPECT(batch->rows > 0 && batch->rows <= batch_rows_max);
      for (uint32_t i = 0; i < batch->rows; i++) {
        TextRow row;
        for (size_t c = 0; c < types.size(); c++) {
          const Column& column = batch->columns[c];
          if (column.nulls[i] != 0)
            row.emplace_back();
          else
            row.emplace_back(text_of(column.values[i], types[c]));
        }
        rows.push_back(std::move(row));
      }
    }
  }

 private:
  TestCluster cluster_;
  std::unique_ptr<Backend> backend_;
  TemporarySpace space_;
  std::unique_ptr<Execution> execution_;
};

}  // namespace pgdata::test
