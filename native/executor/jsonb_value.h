// JsonbValue: a value within a jsonb document, found by keys and places, and turned to text.
//
// Everything is checked against the document's size: a damaged one raises data_corrupted.
// Source: src/backend/utils/adt/{jsonb.c,jsonb_util.c}, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "executor/arena.h"
#include "tuple/tuple_desc.h"

namespace pgdata {

class JsonbValue {
 public:
  enum class Kind : uint8_t { null, boolean, number, string, array, object };

  JsonbValue() = default;
  // Of a whole document, from its content.
  static Status of_document(std::string_view content, JsonbValue* value);

  Kind kind() const { return kind_; }
  // Of a number: the content of its numeric; of a string: its bytes; of an array or object: its container.
  std::string_view bytes() const { return bytes_; }

  // Null, where the value is an object, or has no such place. A negative place counts from the end; a scalar is the only
  // element of an array, as in PostgreSQL.
  Status element(int32_t place, bool* found, JsonbValue* value) const;
  Status member(std::string_view key, bool* found, JsonbValue* value) const;

  // As a document of its own: a varlena in the arena.
  Datum to_datum(Arena& arena) const;
  // What `->>` gives: strings as they are. Not for null.
  Status to_text(std::string* text) const;

 private:
  Status append_json(std::string* text, int depth) const;
  // The child with that number: an object has its keys, then its values.
  Status child(uint32_t number, JsonbValue* value) const;
  Status check(uint32_t* count) const;

  Kind kind_ = Kind::null;
  bool truth_ = false;
  std::string_view bytes_;
};

}  // namespace pgdata
