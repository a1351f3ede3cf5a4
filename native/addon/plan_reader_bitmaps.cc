// PlanReader: what reads tables by bitmaps.
#include "addon/error.h"
#include "addon/fields.h"
#include "addon/plan_reader.h"
#include "executor/bitmap_scan.h"

namespace pgdata {

Status PlanReader::read_bitmap_source(const Napi::Value& value, const Table& table,
                                      std::unique_ptr<BitmapSource>* made) {
  if (!value.IsObject()) return bad_argument("bitmap");
  const auto object = value.As<Napi::Object>();
  Fields fields(object);
  const std::string node = fields.text("node");
  RETURN_IF_ERROR(fields.status());
  if (node == "index scan") {
    IndexSearch search;
    RETURN_IF_ERROR(read_index_search(object, &search));
    if (search.table.get() != &table) return bad_argument("relation");
    *made = std::make_unique<BitmapIndexScan>(execution_, std::move(search));
    return Status::ok;
  }
  const Napi::Array children = fields.array("children");
  RETURN_IF_ERROR(fields.status());
  BitmapSources sources;
  for (uint32_t i = 0; i < children.Length(); i++) {
    std::unique_ptr<BitmapSource> source;
    RETURN_IF_ERROR(read_bitmap_source(children.Get(i), table, &source));
    sources.push_back(std::move(source));
  }
  if (sources.empty()) return bad_argument("children");
  if (node == "bitmap and")
    *made = std::make_unique<BitmapAnd>(execution_, std::move(sources));
  else if (node == "bitmap or")
    *made = std::make_unique<BitmapOr>(execution_, std::move(sources));
  else
    return bad_argument("node");
  return Status::ok;
}

Status PlanReader::read_bitmap_scan(const Napi::Object& object, OperatorPointer* made) {
  std::shared_ptr<Table> table;
  std::vector<int> attributes;
  RETURN_IF_ERROR(read_table(object, &table, &attributes));
  std::unique_ptr<BitmapSource> source;
  RETURN_IF_ERROR(read_bitmap_source(object.Get("bitmap"), *table, &source));
  std::vector<ExpressionPointer> recheck;
  RETURN_IF_ERROR(read_expressions(object.Get("recheck"), &recheck));
  std::vector<ExpressionPointer> conditions;
  RETURN_IF_ERROR(read_expressions(object.Get("conditions"), &conditions));
  *made = BitmapScan::create(execution_, std::move(table), std::move(source), std::move(attributes),
                             std::move(recheck), std::move(conditions));
  return Status::ok;
}

}  // namespace pgdata
