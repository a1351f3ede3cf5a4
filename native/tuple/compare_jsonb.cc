// The order of jsonb values, from their packed form.
// Source: src/backend/utils/adt/jsonb_util.c, PostgreSQL 18.
#include <cstdint>

#include "layout/jsonb.h"
#include "tuple/compare_nested.h"

namespace pgdata {
namespace {

// The order of types: null, string, number, boolean, array, object.
enum class JsonbType : uint8_t { null, string, numeric, boolean, array, object };

struct Child {
  JsonbType type = JsonbType::null;
  bool boolean = false;
  std::string_view bytes;
};

struct Container {
  std::string_view bytes;
  uint32_t header = 0;
  uint32_t entries = 0;  // children, keys counted too
  uint32_t count = 0;    // elements or pairs
  bool is_object = false;
  bool is_scalar = false;

  explicit Container(std::string_view content) : bytes(content) {
    if (content.size() < 4) return;
    header = load<uint32_t>(content.data());
    is_object = (header & JB_FOBJECT) != 0;
    is_scalar = (header & JB_FSCALAR) != 0;
    const uint64_t wanted = static_cast<uint64_t>(header & JB_CMASK) * (is_object ? 2 : 1);
    if (4 + wanted * 4 > content.size()) return;  // Damaged: taken as empty.
    count = header & JB_CMASK;
    entries = static_cast<uint32_t>(wanted);
  }
  uint32_t entry(uint32_t i) const { return load<uint32_t>(bytes.data() + 4 + 4 * size_t{i}); }
};

// Walks the entries from `first` on, keeping the running offset.
class ChildCursor {
 public:
  ChildCursor(const Container& container, uint32_t first)
      : container_(container), next_(first), base_(4 + 4 * size_t{container.entries}) {
    // The nearest stored offset at or before the start, then lengths from there.
    uint32_t i = first;
    while (i > 0 && (container.entry(i - 1) & JENTRY_HAS_OFF) == 0) --i;
    if (i > 0) offset_ = container.entry(i - 1) & JENTRY_OFFLENMASK;
    for (; i < first; ++i) offset_ += container.entry(i) & JENTRY_OFFLENMASK;
  }

  Child next() {
    const uint32_t entry = container_.entry(next_++);
    const uint64_t start = offset_;
    const uint64_t end = (entry & JENTRY_HAS_OFF) != 0 ? (entry & JENTRY_OFFLENMASK)
                                                       : start + (entry & JENTRY_OFFLENMASK);
    offset_ = end;
    Child child;
    const uint32_t type = entry & JENTRY_TYPEMASK;
    switch (type) {
      case JENTRY_ISNULL:
        child.type = JsonbType::null;
        return child;
      case JENTRY_ISBOOL_FALSE:
      case JENTRY_ISBOOL_TRUE:
        child.type = JsonbType::boolean;
        child.boolean = type == JENTRY_ISBOOL_TRUE;
        return child;
      case JENTRY_ISSTRING:
        child.type = JsonbType::string;
        child.bytes = slice(start, end);
        return child;
      case JENTRY_ISNUMERIC:
        child.type = JsonbType::numeric;
        child.bytes = slice(align_up(start, 4), end);
        return child;
      case JENTRY_ISCONTAINER:
      default:
        child.bytes = slice(align_up(start, 4), end);
        child.type = child.bytes.size() >= 4 && (load<uint32_t>(child.bytes.data()) & JB_FOBJECT)
                         ? JsonbType::object
                         : JsonbType::array;
        return child;
    }
  }

 private:
  std::string_view slice(uint64_t start, uint64_t end) const {
    const size_t available = container_.bytes.size() - base_;
    if (start > end || end > available) return {};
    return container_.bytes.substr(base_ + start, end - start);
  }

  const Container& container_;
  uint32_t next_;
  size_t base_;
  uint64_t offset_ = 0;
};

int compare_containers(std::string_view left, std::string_view right, int depth);

// The content of a numeric that is stored with its own varlena header.
std::string_view embedded_content(std::string_view varlena) {
  if (varlena.empty()) return {};
  const auto first = static_cast<uint8_t>(varlena[0]);
  if ((first & 1) != 0) {
    const size_t size = first >> 1;
    return size >= 1 && size <= varlena.size() ? varlena.substr(1, size - 1) : std::string_view{};
  }
  if (varlena.size() < 4) return {};
  const size_t size = load<uint32_t>(varlena.data()) >> 2;
  return size >= 4 && size <= varlena.size() ? varlena.substr(4, size - 4) : std::string_view{};
}

int compare_children(const Child& a, const Child& b, int depth) {
  if (a.type != b.type) return a.type < b.type ? -1 : 1;
  switch (a.type) {
    case JsonbType::null:
      return 0;
    case JsonbType::string:
      return compare_bytes(a.bytes, b.bytes);
    case JsonbType::numeric:
      return compare_numeric_content(embedded_content(a.bytes), embedded_content(b.bytes));
    case JsonbType::boolean:
      return static_cast<int>(a.boolean) - static_cast<int>(b.boolean);
    case JsonbType::array:
    case JsonbType::object:
      return compare_containers(a.bytes, b.bytes, depth + 1);
  }
  return 0;
}

int compare_containers(std::string_view left, std::string_view right, int depth) {
  if (depth > jsonb_depth_max) return 0;
  const Container a(left);
  const Container b(right);
  if (a.is_object != b.is_object) return a.is_object ? 1 : -1;
  // The count overrides the order of scalar against array: an empty array precedes every scalar,
  // which is an accident of PostgreSQL that its indexes depend on.
  if (a.count != b.count) return a.count < b.count ? -1 : 1;
  if (a.is_scalar != b.is_scalar) return a.is_scalar ? -1 : 1;
  if (!a.is_object) {
    ChildCursor a_children(a, 0);
    ChildCursor b_children(b, 0);
    for (uint32_t i = 0; i < a.count; ++i) {
      const int order = compare_children(a_children.next(), b_children.next(), depth);
      if (order != 0) return order;
    }
    return 0;
  }
  ChildCursor a_keys(a, 0);
  ChildCursor b_keys(b, 0);
  ChildCursor a_values(a, a.count);
  ChildCursor b_values(b, b.count);
  for (uint32_t i = 0; i < a.count; ++i) {
    const int key_order = compare_bytes(a_keys.next().bytes, b_keys.next().bytes);
    if (key_order != 0) return key_order;
    const int order = compare_children(a_values.next(), b_values.next(), depth);
    if (order != 0) return order;
  }
  return 0;
}

}  // namespace

int compare_jsonb_content(std::string_view left, std::string_view right) {
  return compare_containers(left, right, 0);
}

}  // namespace pgdata
