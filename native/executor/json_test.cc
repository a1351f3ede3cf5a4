// Json: what is found in documents, and that damaged ones raise errors and nothing else.
#include <memory>
#include <string>

#include "base/test.h"
#include "executor/json_text.h"
#include "executor/jsonb_value.h"
#include "tuple/compare.h"
#include "tuple/varlena.h"

namespace pgdata {
namespace {

void put(std::string* bytes, uint32_t word) {
  bytes->append(reinterpret_cast<const char*>(&word), sizeof word);
}

// {"a": [1, "x"], "b": null}, as jsonb.
std::string document() {
  std::string array;
  put(&array, 0x40000002);  // an array of two
  put(&array, 0x90000008);  // a number, which ends at 8
  put(&array, 0x00000001);  // a string of one
  put(&array, 8u << 2);     // the number's varlena,
  put(&array, 0x00018000);  // its header, one digit: 1
  array.append("x");
  std::string object;
  put(&object, 0x20000002);                                            // an object of two
  put(&object, 0x80000001);                                            // a key, which ends at 1
  put(&object, 0x00000001);                                            // a key of one
  put(&object, 0x50000000 | static_cast<uint32_t>(2 + array.size()));  // with its padding
  put(&object, 0x40000000);                                            // null
  object.append("ab").append(2, '\0').append(array);
  return object;
}

std::string text_of(const JsonbValue& value) {
  std::string text;
  EXPECT_OK(value.to_text(&text));
  return text;
}

TEST(values_of_jsonb) {
  const std::string bytes = document();
  JsonbValue root;
  EXPECT_OK(JsonbValue::of_document(bytes, &root));
  EXPECT_EQ(text_of(root), std::string(R"({"a": [1, "x"], "b": null})"));
  JsonbValue array;
  bool found = false;
  EXPECT_OK(root.member("a", &found, &array));
  EXPECT(found);
  JsonbValue last;
  EXPECT_OK(array.element(-1, &found, &last));
  EXPECT(found);
  EXPECT_EQ(text_of(last), std::string("x"));
  EXPECT_OK(array.element(2, &found, &last));
  EXPECT(!found);
  EXPECT_OK(root.member("c", &found, &last));
  EXPECT(!found);
}

TEST(a_value_becomes_a_document) {
  MemoryAccount account;
  Arena arena(account);
  const std::string bytes = document();
  JsonbValue root;
  EXPECT_OK(JsonbValue::of_document(bytes, &root));
  JsonbValue array;
  bool found = false;
  EXPECT_OK(root.member("a", &found, &array));
  for (int32_t place = 0; place < 2; place++) {
    JsonbValue element;
    EXPECT_OK(array.element(place, &found, &element));
    JsonbValue again;
    EXPECT_OK(JsonbValue::of_document(varlena_content(element.to_datum(arena)), &again));
    EXPECT_EQ(text_of(again), text_of(element));
  }
}

// Whatever is wrong with a document, nothing outside of it is read.
TEST(damaged_jsonb) {
  const std::string sound = document();
  for (size_t at = 0; at < sound.size(); at++) {
    for (int bit = 0; bit < 8; bit++) {
      // Memory of its own, so that a sanitizer sees its end.
      const std::unique_ptr<char[]> copy(new char[sound.size()]);
      std::memcpy(copy.get(), sound.data(), sound.size());
      copy[at] = static_cast<char>(copy[at] ^ (1 << bit));
      JsonbValue root;
      if (!JsonbValue::of_document({copy.get(), sound.size()}, &root).is_ok()) continue;
      std::string text;
      static_cast<void>(root.to_text(&text));
      JsonbValue value;
      bool found = false;
      static_cast<void>(root.member("b", &found, &value));
      static_cast<void>(root.element(1, &found, &value));
    }
  }
  for (size_t size = 0; size < sound.size(); size++) {
    const std::unique_ptr<char[]> copy(new char[size]);
    std::memcpy(copy.get(), sound.data(), size);
    JsonbValue root;
    const bool begins = JsonbValue::of_document({copy.get(), size}, &root).is_ok();
    std::string text;
    EXPECT(!begins || !root.to_text(&text).is_ok());
  }
}

TEST(damaged_json) {
  const std::string sound = R"( {"a": [1, {"b": "x\u00e4\\"}], "c" : null} )";
  for (size_t size = 0; size <= sound.size(); size++) {
    const std::unique_ptr<char[]> copy(new char[size]);
    std::memcpy(copy.get(), sound.data(), size);
    const std::string_view json(copy.get(), size);
    std::string_view value;
    std::string text;
    bool found = false;
    const Status status = json_member(json, "a", &found, &value);
    EXPECT(status.is_ok() || status.code() == ErrorCode::data_corrupted);
    if (found) static_cast<void>(json_element(value, -1, &found, &value));
    static_cast<void>(json_to_text(json.substr(0, size / 2), &text));
  }
}

}  // namespace
}  // namespace pgdata
