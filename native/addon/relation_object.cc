// RelationObject: layouts for row batches.
#include "addon/relation_object.h"

#include <utility>
#include <vector>

#include "addon/environment.h"
#include "addon/error.h"

namespace pgdata {

namespace {
constexpr napi_type_tag relation_tag = {0x7067646174610001, 0x72656c6174696f6e};
constexpr uint32_t capacity_max = 1u << 20;
}  // namespace

Napi::Function RelationObject::define(Napi::Env env) {
  return DefineClass(env, "NativeRelation",
                     {InstanceMethod("layout", &RelationObject::layout),
                      InstanceMethod("readNewest", &RelationObject::read_newest)});
}

RelationObject::RelationObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<RelationObject>(info) {
  info.This().As<Napi::Object>().TypeTag(&relation_tag);
}

Napi::Value RelationObject::make(Napi::Env env, std::shared_ptr<Table> table) {
  const Napi::Object object = environment(env).relation_class.New({});
  Unwrap(object)->table_ = std::move(table);
  return object;
}

std::shared_ptr<Table> RelationObject::table_of(Napi::Env, const Napi::Value& value) {
  if (!value.IsObject()) return nullptr;
  const auto object = value.As<Napi::Object>();
  if (!object.CheckTypeTag(&relation_tag)) return nullptr;
  return Unwrap(object)->table_;
}

bool RelationObject::reads_newest(const Napi::Value& value) {
  if (!value.IsObject()) return false;
  const auto object = value.As<Napi::Object>();
  return object.CheckTypeTag(&relation_tag) && Unwrap(object)->reads_newest_;
}

Napi::Value RelationObject::read_newest(const Napi::CallbackInfo& info) {
  reads_newest_ = true;
  return info.Env().Undefined();
}

Napi::Object describe_layout(Napi::Env env, const RowLayout& layout) {
  const size_t columns = layout.columns().size();
  Napi::Object result = Napi::Object::New(env);
  Napi::Array nulls = Napi::Array::New(env, columns);
  Napi::Array values = Napi::Array::New(env, columns);
  for (uint32_t i = 0; i < columns; i++) {
    nulls.Set(i, Napi::Number::New(env, layout.columns()[i].nulls));
    values.Set(i, Napi::Number::New(env, layout.columns()[i].values));
  }
  result.Set("capacity", Napi::Number::New(env, layout.capacity()));
  result.Set("nulls", nulls);
  result.Set("values", values);
  result.Set("tids", Napi::Number::New(env, layout.tids()));
  result.Set("heap", Napi::Number::New(env, layout.heap()));
  return result;
}

// layout(attributes: number[], capacity: number, withTids: boolean)
Napi::Value RelationObject::layout(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (table_ == nullptr || info.Length() != 3 || !info[0].IsArray() || !info[1].IsNumber())
    THROW_IF_ERROR(env, bad_argument("layout"));
  const auto array = info[0].As<Napi::Array>();
  std::vector<int> attributes;
  for (uint32_t i = 0; i < array.Length(); i++) {
    const int attribute = Napi::Value(array.Get(i)).ToNumber().Int32Value() - 1;
    if (attribute < 0 || attribute >= table_->natts())
      THROW_IF_ERROR(env, bad_argument("attributes"));
    attributes.push_back(attribute);
  }
  const uint32_t capacity = info[1].As<Napi::Number>().Uint32Value();
  if (capacity > capacity_max) THROW_IF_ERROR(env, bad_argument("capacity"));
  auto layout = std::make_unique<RowLayout>(table_->lanes(), attributes, capacity,
                                            info[2].ToBoolean().Value());
  Napi::Object result = describe_layout(env, *layout);
  result.Set("id", Napi::Number::New(env, table_->add_row_layout(std::move(layout))));
  return result;
}

}  // namespace pgdata
