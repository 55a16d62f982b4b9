#pragma once

#include <string>

#include "tools/json_writer.hpp"
#include "tools/ledger.hpp"

// The terms of a topic, for people and for programs.

namespace abuzz::tools {

// "12 published = 2 with the publisher + 9 routed + 1 without a subscriber". Terms that are 0 are
// left out.
std::string streams_text(const TopicLedger& topic);
// "9 matched = 7 delivered + 1 queued + 1 dropped (queue full)"
std::string pairs_text(const TopicLedger& topic);

void write_reasons(JsonWriter& json, std::string_view name, const Reasons& reasons);
// An object.
void write_topic(JsonWriter& json, const TopicLedger& topic);

}  // namespace abuzz::tools
