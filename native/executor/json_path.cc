// Access to a json or jsonb document: -> and ->>, one after the other.
// Source: src/backend/utils/adt/jsonfuncs.c, PostgreSQL 18.
#include <utility>

#include "executor/expression.h"
#include "executor/json_text.h"
#include "executor/jsonb_value.h"

namespace pgdata {

namespace {

Datum text_datum(std::string_view text, Arena& arena) {
  std::byte* made = arena.allocate(VARHDRSZ + text.size());
  set_varlena_size_4b(made, static_cast<uint32_t>(VARHDRSZ + text.size()));
  std::memcpy(made + VARHDRSZ, text.data(), text.size());
  return pointer_datum(made);
}

// What the result is of.
enum class Wanted : uint8_t { document, text, number };

class JsonPath : public Computed {
 public:
  JsonPath(const ValueType& type, ExpressionPointer operand, std::vector<JsonStep> steps,
           MemoryAccount& account)
      : Computed(type, account), operand_(std::move(operand)), steps_(std::move(steps)) {
    if (type.oid == type_oid::text) wanted_ = Wanted::text;
    if (type.oid == type_oid::numeric) wanted_ = Wanted::number;
  }

  Status evaluate(const Batch& batch, const Selection& rows, Arena& scratch,
                  const Column** result) override {
    const Column* of = nullptr;
    RETURN_IF_ERROR(operand_->evaluate(batch, rows, scratch, &of));
    Status status;
    rows.for_each([&](uint32_t row) {
      bool found = false;
      values()[row] = 0;
      if (of->nulls[row] == 0 && status.is_ok())
        status = follow(varlena_content(of->values[row]), scratch, &found, &values()[row]);
      nulls()[row] = found ? 0 : 1;
    });
    *result = column();
    return status;
  }

 protected:
  virtual Status follow(std::string_view document, Arena& scratch, bool* found, Datum* value) = 0;
  const std::vector<JsonStep>& steps() const { return steps_; }
  Wanted wanted() const { return wanted_; }
  std::string& text() { return text_; }

 private:
  ExpressionPointer operand_;
  std::vector<JsonStep> steps_;
  Wanted wanted_ = Wanted::document;
  std::string text_;
};

class PathInJsonb final : public JsonPath {
 public:
  using JsonPath::JsonPath;

 private:
  Status follow(std::string_view document, Arena& scratch, bool* found, Datum* datum) override {
    JsonbValue value;
    RETURN_IF_ERROR(JsonbValue::of_document(document, &value));
    *found = true;
    for (const JsonStep& step : steps()) {
      const JsonbValue outer = value;
      RETURN_IF_ERROR(step.is_key ? outer.member(step.key, found, &value)
                                  : outer.element(step.place, found, &value));
      if (!*found) return Status::ok;
    }
    if (wanted() == Wanted::document) {
      *datum = value.to_datum(scratch);
      return Status::ok;
    }
    *found = value.kind() != JsonbValue::Kind::null;
    if (!*found) return Status::ok;
    if (wanted() == Wanted::number) return number(value, scratch, datum);
    RETURN_IF_ERROR(value.to_text(&text()));
    *datum = text_datum(text(), scratch);
    return Status::ok;
  }

  static Status number(const JsonbValue& value, Arena& scratch, Datum* datum) {
    if (value.kind() == JsonbValue::Kind::number) {
      *datum = text_datum(value.bytes(), scratch);
      return Status::ok;
    }
    const char* kind = "object";
    if (value.kind() == JsonbValue::Kind::boolean) kind = "boolean";
    if (value.kind() == JsonbValue::Kind::string) kind = "string";
    if (value.kind() == JsonbValue::Kind::array) kind = "array";
    return Status::error(ErrorCode::invalid_parameter_value, "cannot cast jsonb %s to type numeric",
                         kind);
  }
};

class PathInText final : public JsonPath {
 public:
  using JsonPath::JsonPath;

 private:
  Status follow(std::string_view document, Arena& scratch, bool* found, Datum* datum) override {
    std::string_view value = document;
    *found = true;
    for (const JsonStep& step : steps()) {
      const std::string_view outer = value;
      RETURN_IF_ERROR(step.is_key ? json_member(outer, step.key, found, &value)
                                  : json_element(outer, step.place, found, &value));
      if (!*found) return Status::ok;
    }
    if (wanted() == Wanted::document) {
      *datum = text_datum(value, scratch);
      return Status::ok;
    }
    *found = !json_is_null(value);
    if (!*found) return Status::ok;
    RETURN_IF_ERROR(json_to_text(value, &text()));
    *datum = text_datum(text(), scratch);
    return Status::ok;
  }
};

}  // namespace

Status make_json_path(ExpressionPointer operand, std::vector<JsonStep> steps, const ValueType& type,
                      MemoryAccount& account, ExpressionPointer* made) {
  const Oid from = operand->type().oid;
  const bool is_document = type.oid == from || type.oid == type_oid::text;
  if (from == type_oid::jsonb && (is_document || type.oid == type_oid::numeric))
    *made = std::make_unique<PathInJsonb>(type, std::move(operand), std::move(steps), account);
  else if (from == type_oid::json && is_document)
    *made = std::make_unique<PathInText>(type, std::move(operand), std::move(steps), account);
  else
    return Status::error(ErrorCode::feature_not_supported, "not an access to a json document");
  return Status::ok;
}

}  // namespace pgdata
