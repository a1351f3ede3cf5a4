// JsonbValue: containers, and their text.
#include "executor/jsonb_value.h"

#include <algorithm>

#include "executor/numeric.h"
#include "layout/jsonb.h"
#include "layout/varlena.h"
#include "tuple/compare.h"
#include "tuple/varlena.h"

namespace pgdata {

namespace {

constexpr size_t entry_bytes = sizeof(uint32_t);

Status damaged() { return Status::error(ErrorCode::data_corrupted, "a jsonb value is damaged"); }

uint32_t word_at(std::string_view bytes, size_t at) { return load<uint32_t>(bytes.data() + at); }

// The order of an object's keys: shorter ones first.
int compare_keys(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return left.size() < right.size() ? -1 : 1;
  return left.compare(right);
}

void append_string(std::string_view from, std::string* text) {
  constexpr char hexadecimal[] = "0123456789abcdef";
  text->push_back('"');
  for (const char c : from) {
    switch (c) {
      case '"':
      case '\\':
        text->push_back('\\');
        text->push_back(c);
        break;
      case '\b':
        text->append("\\b");
        break;
      case '\f':
        text->append("\\f");
        break;
      case '\n':
        text->append("\\n");
        break;
      case '\r':
        text->append("\\r");
        break;
      case '\t':
        text->append("\\t");
        break;
      default:
        if (static_cast<uint8_t>(c) < 0x20) {
          text->append("\\u00");
          text->push_back(hexadecimal[c >> 4]);
          text->push_back(hexadecimal[c & 0xF]);
        } else {
          text->push_back(c);
        }
    }
  }
  text->push_back('"');
}

}  // namespace

Status JsonbValue::of_document(std::string_view content, JsonbValue* value) {
  if (content.size() < entry_bytes) return damaged();
  JsonbValue root;
  const uint32_t header = word_at(content, 0);
  root.kind_ = (header & JB_FOBJECT) != 0 ? Kind::object : Kind::array;
  root.bytes_ = content;
  if ((header & JB_FSCALAR) == 0) {
    *value = root;
    return Status::ok;
  }
  return root.child(0, value);
}

// How many children there are, whose entries are within the container.
Status JsonbValue::check(uint32_t* count) const {
  if (bytes_.size() < entry_bytes) return damaged();
  const uint32_t header = word_at(bytes_, 0);
  const bool is_object = (header & JB_FOBJECT) != 0;
  if (is_object != (kind_ == Kind::object) || is_object == ((header & JB_FARRAY) != 0))
    return damaged();
  *count = (header & JB_CMASK) * (is_object ? 2 : 1);
  return bytes_.size() / entry_bytes > *count ? Status::ok : damaged();
}

Status JsonbValue::child(uint32_t number, JsonbValue* value) const {
  uint32_t count = 0;
  RETURN_IF_ERROR(check(&count));
  if (number >= count) return damaged();
  const auto entry_of = [this](uint32_t i) {
    return word_at(bytes_, entry_bytes * (1 + size_t{i}));
  };
  const uint32_t entry = entry_of(number);
  size_t begin = 0;
  for (uint32_t i = number; i > 0; i--) {
    const uint32_t before = entry_of(i - 1);
    begin += before & JENTRY_OFFLENMASK;
    if ((before & JENTRY_HAS_OFF) != 0) break;
  }
  size_t end = entry & JENTRY_OFFLENMASK;
  if ((entry & JENTRY_HAS_OFF) == 0) end += begin;
  const uint32_t type = entry & JENTRY_TYPEMASK;
  if (type == JENTRY_ISNUMERIC || type == JENTRY_ISCONTAINER) begin = align_up(begin, entry_bytes);
  const size_t data = entry_bytes * (1 + size_t{count});
  if (begin > end || end > bytes_.size() - data) return damaged();
  const std::string_view own = bytes_.substr(data + begin, end - begin);

  *value = JsonbValue();
  switch (type) {
    case JENTRY_ISSTRING:
      value->kind_ = Kind::string;
      value->bytes_ = own;
      return Status::ok;
    case JENTRY_ISNUMERIC: {
      const auto* datum = reinterpret_cast<const std::byte*>(own.data());
      const bool is_plain = own.size() >= VARHDRSZ && varlena_is_plain(datum);
      const bool is_short = !own.empty() && varlena_is_short(datum);
      if ((!is_plain && !is_short) || varlena_size(datum) > own.size() ||
          varlena_size(datum) < (is_short ? VARHDRSZ_SHORT : VARHDRSZ))
        return damaged();
      value->kind_ = Kind::number;
      value->bytes_ = varlena_content(pointer_datum(datum));
      return Status::ok;
    }
    case JENTRY_ISBOOL_FALSE:
    case JENTRY_ISBOOL_TRUE:
      value->kind_ = Kind::boolean;
      value->truth_ = type == JENTRY_ISBOOL_TRUE;
      return Status::ok;
    case JENTRY_ISNULL:
      return Status::ok;
    case JENTRY_ISCONTAINER:
      if (own.size() < entry_bytes) return damaged();
      value->kind_ = (word_at(own, 0) & JB_FOBJECT) != 0 ? Kind::object : Kind::array;
      value->bytes_ = own;
      return Status::ok;
    default:
      return damaged();
  }
}

Status JsonbValue::element(int32_t place, bool* found, JsonbValue* value) const {
  *found = false;
  if (kind_ == Kind::object) return Status::ok;
  if (kind_ != Kind::array) {
    *found = place == 0 || place == -1;
    if (*found) *value = *this;
    return Status::ok;
  }
  uint32_t count = 0;
  RETURN_IF_ERROR(check(&count));
  const int64_t at = place < 0 ? int64_t{place} + count : place;
  if (at < 0 || at >= count) return Status::ok;
  *found = true;
  return child(static_cast<uint32_t>(at), value);
}

Status JsonbValue::member(std::string_view key, bool* found, JsonbValue* value) const {
  *found = false;
  if (kind_ != Kind::object) return Status::ok;
  uint32_t count = 0;
  RETURN_IF_ERROR(check(&count));
  const uint32_t pairs = count / 2;
  uint32_t low = 0;
  uint32_t high = pairs;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    JsonbValue candidate;
    RETURN_IF_ERROR(child(middle, &candidate));
    if (candidate.kind_ != Kind::string) return damaged();
    const int order = compare_keys(candidate.bytes_, key);
    if (order == 0) {
      *found = true;
      return child(pairs + middle, value);
    }
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return Status::ok;
}

Datum JsonbValue::to_datum(Arena& arena) const {
  if (kind_ == Kind::array || kind_ == Kind::object) {
    std::byte* made = arena.allocate(VARHDRSZ + bytes_.size());
    set_varlena_size_4b(made, static_cast<uint32_t>(VARHDRSZ + bytes_.size()));
    std::copy(bytes_.begin(), bytes_.end(), reinterpret_cast<char*>(made + VARHDRSZ));
    return pointer_datum(made);
  }
  // A scalar is the only element of an array that says so.
  uint32_t type = JENTRY_ISNULL;
  if (kind_ == Kind::boolean) type = truth_ ? JENTRY_ISBOOL_TRUE : JENTRY_ISBOOL_FALSE;
  if (kind_ == Kind::string) type = JENTRY_ISSTRING;
  if (kind_ == Kind::number) type = JENTRY_ISNUMERIC;
  const size_t header = kind_ == Kind::number ? VARHDRSZ : 0;
  const size_t own = header + bytes_.size();
  const size_t size = VARHDRSZ + 2 * entry_bytes + own;
  std::byte* made = arena.allocate(size);
  set_varlena_size_4b(made, static_cast<uint32_t>(size));
  std::byte* at = made + VARHDRSZ;
  store<uint32_t>(at, 1 | JB_FSCALAR | JB_FARRAY);
  at += entry_bytes;
  store<uint32_t>(at, type | static_cast<uint32_t>(own) | JENTRY_HAS_OFF);
  at += entry_bytes;
  if (header != 0) set_varlena_size_4b(at, static_cast<uint32_t>(own));
  std::copy(bytes_.begin(), bytes_.end(), reinterpret_cast<char*>(at + header));
  return pointer_datum(made);
}

Status JsonbValue::to_text(std::string* text) const {
  text->clear();
  if (kind_ != Kind::string) return append_json(text, 0);
  text->assign(bytes_);
  return Status::ok;
}

Status JsonbValue::append_json(std::string* text, int depth) const {
  switch (kind_) {
    case Kind::null:
      text->append("null");
      return Status::ok;
    case Kind::boolean:
      text->append(truth_ ? "true" : "false");
      return Status::ok;
    case Kind::string:
      append_string(bytes_, text);
      return Status::ok;
    case Kind::number: {
      Numeric number;
      RETURN_IF_ERROR(Numeric::from_content(bytes_, &number));
      number.append_text(text);
      return Status::ok;
    }
    case Kind::array:
    case Kind::object:
      break;
  }
  if (depth == jsonb_depth_max)
    return Status::error(ErrorCode::program_limit_exceeded, "stack depth limit exceeded");
  uint32_t count = 0;
  RETURN_IF_ERROR(check(&count));
  const bool is_object = kind_ == Kind::object;
  const uint32_t values = is_object ? count / 2 : count;
  text->push_back(is_object ? '{' : '[');
  for (uint32_t i = 0; i < values; i++) {
    if (i > 0) text->append(", ");
    JsonbValue part;
    if (is_object) {
      RETURN_IF_ERROR(child(i, &part));
      append_string(part.bytes_, text);
      text->append(": ");
    }
    RETURN_IF_ERROR(child(is_object ? values + i : i, &part));
    RETURN_IF_ERROR(part.append_json(text, depth + 1));
  }
  text->push_back(is_object ? '}' : ']');
  return Status::ok;
}

}  // namespace pgdata
