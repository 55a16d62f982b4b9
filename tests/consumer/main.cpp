#include <bus/error.hpp>
#include <bus/topic.hpp>
#include <cstdio>

int main() {
  if (abuzz::check_topic("docs.new.report") != abuzz::TopicFault::none) return 1;
  if (abuzz::check_topic("docs..report") != abuzz::TopicFault::empty_token) return 1;
  if (!abuzz::matches("docs.new.*", "docs.new.report")) return 1;
  std::size_t count = 0;
  const abuzz::ErrorInfo* table = abuzz::error_table(&count);
  for (std::size_t index = 0; index < count; ++index) {
    std::printf("%s %s\n", abuzz::error_id(table[index].error).c_str(), table[index].name);
  }
  return count > 0 ? 0 : 1;
}
