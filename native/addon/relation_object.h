// RelationObject: NativeRelation of src-ts/binding/native.ts, a Table that JavaScript holds.
#pragma once

#include <napi.h>

#include <memory>

#include "table/table.h"

namespace pgdata {

// RowLayout of src-ts/binding/native.ts.
Napi::Object describe_layout(Napi::Env env, const RowLayout& layout);

class RelationObject final : public Napi::ObjectWrap<RelationObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit RelationObject(const Napi::CallbackInfo& info);

  // The object for a table.
  static Napi::Value make(Napi::Env env, std::shared_ptr<Table> table);
  // The table of an argument, or null if it is no RelationObject.
  static std::shared_ptr<Table> table_of(Napi::Env env, const Napi::Value& value);
  // Is the argument a relation of which transactions read the newest rows, whatever their snapshot?
  static bool reads_newest(const Napi::Value& value);

 private:
  Napi::Value layout(const Napi::CallbackInfo& info);
  Napi::Value read_newest(const Napi::CallbackInfo& info);
  std::shared_ptr<Table> table_;
  bool reads_newest_ = false;
};

}  // namespace pgdata
