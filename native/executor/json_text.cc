// Json text: one pass over the document, which builds nothing.
#include "executor/json_text.h"

namespace pgdata {

namespace {

Status damaged() { return Status::error(ErrorCode::data_corrupted, "a json value is damaged"); }

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::string_view trimmed(std::string_view json) {
  while (!json.empty() && is_space(json.front())) json.remove_prefix(1);
  while (!json.empty() && is_space(json.back())) json.remove_suffix(1);
  return json;
}

// Reads a document from the left to the right.
class Reader {
 public:
  explicit Reader(std::string_view json) : json_(json) { skip_space(); }

  char peek() const { return at_ < json_.size() ? json_[at_] : '\0'; }
  bool take(char c) {
    if (peek() != c) return false;
    at_++;
    skip_space();
    return true;
  }
  // The string that begins here, with its quotes.
  Status string(std::string_view* raw) {
    const size_t begin = at_;
    if (peek() != '"') return damaged();
    for (at_++; at_ < json_.size() && json_[at_] != '"'; at_++)
      if (json_[at_] == '\\') at_++;
    if (at_ >= json_.size()) return damaged();
    *raw = json_.substr(begin, ++at_ - begin);
    skip_space();
    return Status::ok;
  }
  // The value that begins here, with all that is in it.
  Status value(std::string_view* raw) {
    const size_t begin = at_;
    size_t end = at_;
    size_t depth = 0;
    do {
      const char c = peek();
      if (c == '\0') return damaged();
      if (c == '"') {
        std::string_view skipped;
        const size_t before = at_;
        RETURN_IF_ERROR(string(&skipped));
        end = before + skipped.size();
        continue;
      }
      if (c == '{' || c == '[') depth++;
      const bool closes = c == '}' || c == ']';
      if (closes && depth-- == 0) return damaged();
      if (closes || depth > 0) {
        end = ++at_;
        skip_space();
        continue;
      }
      while (at_ < json_.size() && !is_space(peek()) && peek() != ',' && peek() != ']' &&
             peek() != '}')
        at_++;
      if (at_ == begin) return damaged();
      end = at_;
      skip_space();
    } while (depth > 0);
    *raw = json_.substr(begin, end - begin);
    return Status::ok;
  }

 private:
  void skip_space() {
    while (at_ < json_.size() && is_space(json_[at_])) at_++;
  }

  std::string_view json_;
  size_t at_ = 0;
};

Status hexadecimal(std::string_view raw, size_t at, uint32_t* code) {
  if (raw.size() < at + 4) return damaged();
  *code = 0;
  for (size_t i = at; i < at + 4; i++) {
    const char c = raw[i];
    uint32_t digit = 0;
    if (c >= '0' && c <= '9')
      digit = static_cast<uint32_t>(c - '0');
    else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
      digit = static_cast<uint32_t>((c | 0x20) - 'a' + 10);
    else
      return damaged();
    *code = *code * 16 + digit;
  }
  return Status::ok;
}

void append_utf8(uint32_t code, std::string* text) {
  const auto put = [text](uint32_t byte) { text->push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

bool is_high(uint32_t code) { return code >= 0xD800 && code <= 0xDBFF; }
bool is_low(uint32_t code) { return code >= 0xDC00 && code <= 0xDFFF; }

// A \u escape, from its digits on, perhaps with the second half of a pair.
Status append_escaped_code(std::string_view raw, size_t* at, std::string* text) {
  uint32_t code = 0;
  RETURN_IF_ERROR(hexadecimal(raw, *at, &code));
  *at += 4;
  if (code == 0)
    return Status::error(ErrorCode::untranslatable_character,
                         "unsupported Unicode escape sequence");
  if (is_high(code)) {
    uint32_t low = 0;
    if (raw.substr(*at, 2) != "\\u") return damaged();
    RETURN_IF_ERROR(hexadecimal(raw, *at + 2, &low));
    if (!is_low(low)) return damaged();
    *at += 6;
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  }
  append_utf8(code, text);
  return Status::ok;
}

// Of a string with its quotes.
Status unescaped(std::string_view raw, std::string* text) {
  text->clear();
  raw = raw.substr(1, raw.size() - 2);
  for (size_t at = 0; at < raw.size();) {
    const char c = raw[at++];
    if (c != '\\') {
      text->push_back(c);
      continue;
    }
    if (at == raw.size()) return damaged();
    switch (const char escaped = raw[at++]; escaped) {
      case 'b':
        text->push_back('\b');
        break;
      case 'f':
        text->push_back('\f');
        break;
      case 'n':
        text->push_back('\n');
        break;
      case 'r':
        text->push_back('\r');
        break;
      case 't':
        text->push_back('\t');
        break;
      case 'u':
        RETURN_IF_ERROR(append_escaped_code(raw, &at, text));
        break;
      default:
        text->push_back(escaped);
    }
  }
  return Status::ok;
}

Status is_key(std::string_view raw, std::string_view key, bool* is) {
  if (raw.find('\\') == std::string_view::npos) {
    *is = raw.substr(1, raw.size() - 2) == key;
    return Status::ok;
  }
  std::string text;
  RETURN_IF_ERROR(unescaped(raw, &text));
  *is = text == key;
  return Status::ok;
}

}  // namespace

Status json_member(std::string_view json, std::string_view key, bool* found,
                   std::string_view* value) {
  *found = false;
  Reader reader(json);
  if (!reader.take('{') || reader.take('}')) return Status::ok;
  do {
    std::string_view name;
    std::string_view of_name;
    bool is = false;
    RETURN_IF_ERROR(reader.string(&name));
    if (!reader.take(':')) return damaged();
    RETURN_IF_ERROR(reader.value(&of_name));
    RETURN_IF_ERROR(is_key(name, key, &is));
    if (!is) continue;
    *found = true;
    *value = of_name;
  } while (reader.take(','));
  return reader.take('}') ? Status::ok : damaged();
}

Status json_element(std::string_view json, int32_t place, bool* found, std::string_view* value) {
  *found = false;
  int64_t wanted = place;
  if (place < 0) {
    int64_t count = 0;
    Reader reader(json);
    if (!reader.take('[') || reader.take(']')) return Status::ok;
    do {
      std::string_view skipped;
      RETURN_IF_ERROR(reader.value(&skipped));
      count++;
    } while (reader.take(','));
    wanted += count;
    if (wanted < 0) return Status::ok;
  }
  Reader reader(json);
  if (!reader.take('[') || reader.take(']')) return Status::ok;
  do {
    RETURN_IF_ERROR(reader.value(value));
    *found = wanted-- == 0;
  } while (!*found && reader.take(','));
  return Status::ok;
}

bool json_is_null(std::string_view json) { return trimmed(json) == "null"; }

Status json_to_text(std::string_view json, std::string* text) {
  const std::string_view raw = trimmed(json);
  if (raw.size() >= 2 && raw.front() == '"') return unescaped(raw, text);
  text->assign(raw);
  return Status::ok;
}

}  // namespace pgdata
