// LIKE.
// Source: src/backend/utils/adt/like_match.c (what it matches, and when a pattern is refused), PostgreSQL 18.
#include <string_view>
#include <utility>

#include "executor/expression.h"

namespace pgdata {

namespace {

enum class Match : uint8_t { yes, no, bad_pattern };

// Bytes of the UTF-8 character that begins here.
size_t character_size(std::string_view text, size_t at) {
  size_t size = 1;
  while (at + size < text.size() && (static_cast<uint8_t>(text[at + size]) & 0xC0) == 0x80) size++;
  return size;
}

// Goes back to the last `%` alone: what an earlier one could match, the last one can.
Match match(std::string_view text, std::string_view pattern) {
  size_t t = 0;
  size_t p = 0;
  size_t after_percent = std::string_view::npos;
  size_t retry = 0;
  for (;;) {
    bool matches = false;
    if (p < pattern.size() && pattern[p] == '%') {
      after_percent = ++p;
      retry = t;
      continue;
    }
    if (t == text.size()) {
      if (p == pattern.size()) return Match::yes;
      return Match::no;
    }
    if (p < pattern.size()) {
      if (pattern[p] == '_') {
        t += character_size(text, t);
        p++;
        continue;
      }
      const bool is_escaped = pattern[p] == '\\';
      if (is_escaped && p + 1 == pattern.size()) return Match::bad_pattern;
      const size_t literal = is_escaped ? p + 1 : p;
      if (pattern[literal] == text[t]) {
        matches = true;
        t++;
        p = literal + 1;
      }
    }
    if (matches) continue;
    if (after_percent == std::string_view::npos) return Match::no;
    retry += character_size(text, retry);
    if (retry > text.size()) return Match::no;
    t = retry;
    p = after_percent;
  }
}

class Like final : public Computed {
 public:
  Like(ExpressionPointer text, ExpressionPointer pattern, MemoryAccount& account)
      : Computed(boolean_type, account), text_(std::move(text)), pattern_(std::move(pattern)) {}

  Status evaluate(const Batch& batch, const Selection& rows, Arena& scratch,
                  const Column** result) override {
    const Column* text = nullptr;
    const Column* pattern = nullptr;
    RETURN_IF_ERROR(text_->evaluate(batch, rows, scratch, &text));
    RETURN_IF_ERROR(pattern_->evaluate(batch, rows, scratch, &pattern));
    bool is_bad = false;
    rows.for_each([&](uint32_t row) {
      const uint8_t is_null = text->nulls[row] | pattern->nulls[row];
      nulls()[row] = is_null;
      values()[row] = 0;
      if (is_null != 0) return;
      const Match found =
          match(varlena_content(text->values[row]), varlena_content(pattern->values[row]));
      is_bad |= found == Match::bad_pattern;
      values()[row] = found == Match::yes ? 1 : 0;
    });
    if (is_bad)
      return Status::error(ErrorCode::invalid_escape_sequence,
                           "LIKE pattern must not end with escape character");
    *result = column();
    return Status::ok;
  }

 private:
  ExpressionPointer text_;
  ExpressionPointer pattern_;
};

}  // namespace

ExpressionPointer make_like(ExpressionPointer text, ExpressionPointer pattern,
                            MemoryAccount& account) {
  return std::make_unique<Like>(std::move(text), std::move(pattern), account);
}

}  // namespace pgdata
