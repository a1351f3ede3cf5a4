// Structural checks as JavaScript sees them: complaints as plain objects.
#include "addon/inspect_object.h"

#include <memory>
#include <string>
#include <vector>

#include "addon/error.h"
#include "addon/relation_object.h"
#include "btree/btree_verify.h"
#include "btree/index_tuple.h"
#include "heap/verify_heap.h"
#include "page/page.h"

namespace pgdata {

namespace {

constexpr size_t stray_entries_max = 100;

uint32_t number_of(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  return value.IsNumber() ? value.As<Napi::Number>().Uint32Value() : 0;
}

// Marks of the heap's line pointers, `per_page` bits a page: which exist, and which the index has met.
struct HeapItems {
  const uint8_t* existing = nullptr;
  uint8_t* met = nullptr;
  size_t bits = 0;
  uint32_t per_page = 0;

  // The bit of a TID; false when it lies outside the heap.
  bool place(ItemPointer tid, size_t* bit) const {
    const uint32_t offset = tid.offset();
    if (offset == 0 || offset > per_page) return false;
    *bit = static_cast<size_t>(value_of(tid.block())) * per_page + (offset - 1);
    return *bit < bits;
  }
};

std::string entry_complaint(ItemPointer tid) {
  return "index entry points to heap line pointer (" + std::to_string(value_of(tid.block())) + "," +
         std::to_string(tid.offset()) + "), which does not exist";
}

}  // namespace

// verifyHeapPage(relation: NativeRelation | undefined, page: Uint8Array, block: number, bounds)
Napi::Value verify_heap_page_of(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.Length() != 4 || !info[1].IsTypedArray() || !info[3].IsObject())
    THROW_IF_ERROR(env, bad_argument("page"));
  auto bytes = info[1].As<Napi::Uint8Array>();
  const auto size = static_cast<uint32_t>(bytes.ByteLength());
  if (size < block_size_min || size > block_size_max || (size & (size - 1)) != 0)
    THROW_IF_ERROR(env, bad_argument("page"));
  const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
  const auto given = info[3].As<Napi::Object>();
  HeapVerifyBounds bounds;
  if (table != nullptr) {
    bounds.layout = &table->layout();
    bounds.has_toast = table->toast() != nullptr;
  }
  bounds.relfrozenxid = TransactionId{number_of(given, "relfrozenxid")};
  bounds.next_xid = TransactionId{number_of(given, "nextXid")};
  bounds.relminmxid = number_of(given, "relminmxid");
  bounds.next_multi = number_of(given, "nextMulti");
  const BlockNumber block{info[2].ToNumber().Uint32Value()};
  std::vector<HeapComplaint> complaints;
  try {
    verify_heap_page(Page(reinterpret_cast<std::byte*>(bytes.Data()), size), block, bounds,
                     &complaints);
  } catch (const InvariantFailure& failure) {
    THROW_IF_ERROR(env, Status::error(ErrorCode::internal_error, "%s", failure.what()));
  }
  const Napi::Array result = Napi::Array::New(env, complaints.size());
  for (uint32_t i = 0; i < complaints.size(); i++) {
    const HeapComplaint& complaint = complaints[i];
    const Napi::Object object = Napi::Object::New(env);
    object.Set("offset", Napi::Number::New(env, complaint.offset));
    object.Set("attribute", Napi::Number::New(env, complaint.attribute + 1));
    object.Set("message", Napi::String::New(env, complaint.message));
    result.Set(i, object);
  }
  return result;
}

// verifyIndex(relation, index, existing: Uint8Array, met: Uint8Array, itemsPerPage)
Napi::Value verify_index_of(const Napi::CallbackInfo& info, ClusterCore& core) {
  const Napi::Env env = info.Env();
  const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
  if (table == nullptr || info.Length() != 5 || !info[2].IsTypedArray() || !info[3].IsTypedArray())
    THROW_IF_ERROR(env, bad_argument("index"));
  const uint32_t number = info[1].ToNumber().Uint32Value();
  if (number >= table->indexes().size()) THROW_IF_ERROR(env, bad_argument("index"));
  const Table::Index& index = table->indexes()[number];
  if (index.btree == nullptr)
    THROW_IF_ERROR(env,
                   Status::error(ErrorCode::feature_not_supported, "index \"%s\" cannot be checked",
                                 index.definition.name.c_str()));
  const auto existing = info[2].As<Napi::Uint8Array>();
  auto met = info[3].As<Napi::Uint8Array>();
  if (existing.ByteLength() != met.ByteLength()) THROW_IF_ERROR(env, bad_argument("met"));
  const HeapItems items{existing.Data(), met.Data(), existing.ByteLength() * 8,
                        info[4].ToNumber().Uint32Value()};
  BtreeReport report;
  std::vector<std::string> stray;
  uint64_t stray_count = 0;
  const auto visit = [&](const std::byte* tuple) {
    const int count = leaf_tid_count(index_tuple_header(tuple));
    for (int i = 0; i < count; i++) {
      const ItemPointer tid = leaf_tid(tuple, i);
      size_t bit = 0;
      const bool inside = items.place(tid, &bit);
      if (inside && (items.existing[bit >> 3] & (1u << (bit & 7))) != 0) {
        items.met[bit >> 3] = static_cast<uint8_t>(items.met[bit >> 3] | (1u << (bit & 7)));
        continue;
      }
      if (stray_count++ < stray_entries_max) stray.push_back(entry_complaint(tid));
    }
  };
  PooledBtreePages pages(core.engine().services().pool, *index.btree);
  THROW_IF_ERROR(env, verify_btree(pages, *index.btree, &report, visit));
  const Napi::Array complaints = Napi::Array::New(env);
  uint32_t at = 0;
  const auto complain = [&](const Napi::Value& block, const std::string& text) {
    const Napi::Object object = Napi::Object::New(env);
    object.Set("block", block);
    object.Set("message", Napi::String::New(env, text));
    complaints.Set(at++, object);
  };
  for (const BtreeComplaint& complaint : report.complaints)
    complain(Napi::Number::New(env, value_of(complaint.block)), complaint.text);
  for (const std::string& text : stray) complain(env.Null(), text);
  const Napi::Object result = Napi::Object::New(env);
  result.Set("complaints", complaints);
  result.Set("complaintCount",
             Napi::Number::New(env, static_cast<double>(report.complaint_count + stray_count)));
  result.Set("tids", Napi::Number::New(env, static_cast<double>(report.tids)));
  return result;
}

}  // namespace pgdata
