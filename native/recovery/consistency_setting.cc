// Taking the list of names apart.
#include "recovery/consistency_setting.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "recovery/resource_managers.h"

namespace pgdata {

namespace {

bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

bool equals_in_any_case(std::string_view left, std::string_view right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) ==
           std::tolower(static_cast<unsigned char>(b));
  });
}

Status refuse(const std::string& setting, std::string detail) {
  return Status::error(ErrorCode::invalid_parameter_value,
                       "invalid value for parameter \"wal_consistency_checking\": \"%s\"",
                       setting.c_str())
      .with_detail(std::move(detail));
}

}  // namespace

Status parse_consistency_checking(const std::string& setting, uint32_t* managers) {
  *managers = 0;
  std::string_view rest = setting;
  if (trimmed(rest).empty()) return Status::ok;
  for (bool more = true; more;) {
    const size_t comma = rest.find(',');
    const std::string_view word = trimmed(rest.substr(0, comma));
    more = comma != std::string_view::npos;
    if (more) rest.remove_prefix(comma + 1);
    if (word.empty()) return refuse(setting, "List syntax is invalid.");
    const bool is_all = equals_in_any_case(word, "all");
    bool is_known = is_all;
    for (uint8_t id = 0; const ResourceManager* manager = resource_manager(id); id++) {
      if (manager->mask == nullptr || (!is_all && !equals_in_any_case(word, manager->name)))
        continue;
      *managers |= uint32_t{1} << id;
      is_known = true;
    }
    if (!is_known) return refuse(setting, "Unrecognized key word: \"" + std::string(word) + "\".");
  }
  return Status::ok;
}

}  // namespace pgdata
