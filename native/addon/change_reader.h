// ChangeReader: a statement that changes rows, as TypeScript describes it (NativeChange of src-ts/binding/native.ts).
#pragma once

#include <napi.h>

#include <memory>
#include <optional>
#include <vector>

#include "addon/plan_reader.h"
#include "executor/insert_rows.h"

namespace pgdata {

class ChangeReader {
 public:
  ChangeReader(Execution& execution, const WriteContext& context, std::shared_ptr<Table> table,
               PlanReader& reader)
      : execution_(execution), context_(context), table_(std::move(table)), reader_(reader) {}

  // `*writing`: part of `*root`, which gives what RETURNING asks for.
  Status read(const Napi::Object& change, OperatorPointer* root, WritingOperator** writing);

 private:
  Status read_insert(const Napi::Object& change, std::optional<std::vector<int>> returning,
                     std::unique_ptr<WritingOperator>* made);
  Status read_on_conflict(const Napi::Object& given, OnConflict* made);
  Status read_update(const Napi::Object& change, std::optional<std::vector<int>> returning,
                     std::unique_ptr<WritingOperator>* made);
  Status read_set(const Napi::Object& given, std::vector<int>* set);
  Status read_assignments(const Napi::Object& given, size_t count,
                          std::vector<ExpressionPointer>* made);
  Status read_delete(const Napi::Object& change, std::optional<std::vector<int>> returning,
                     std::unique_ptr<WritingOperator>* made);

  Execution& execution_;
  WriteContext context_;
  std::shared_ptr<Table> table_;
  PlanReader& reader_;
};

}  // namespace pgdata
