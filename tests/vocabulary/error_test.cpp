#include "bus/error.hpp"

#include <gtest/gtest.h>

#include <cctype>
#include <set>
#include <span>
#include <string>

#include "tests/vocabulary/enumerators.hpp"

namespace abuzz {
namespace {

std::span<const ErrorInfo> all_errors() {
  std::size_t count = 0;
  const ErrorInfo* table = error_table(&count);
  return {table, count};
}

TEST(ErrorTable, IsAscendingSoThatIdsAreUnique) {
  const auto errors = all_errors();
  for (std::size_t i = 1; i < errors.size(); ++i) {
    EXPECT_LT(errors[i - 1].error, errors[i].error);
  }
}

TEST(ErrorTable, HasEveryEnumeratorUnderItsName) {
  constexpr std::size_t number_max = 1400;
  std::size_t named = 0;
  const auto names = testing::enumerator_names<Error, number_max>();
  for (std::uint16_t number = 0; number < number_max; ++number) {
    const ErrorInfo* info = find_error(number);
    if (names[number].empty()) {
      EXPECT_EQ(info, nullptr) << number;
      continue;
    }
    ++named;
    ASSERT_NE(info, nullptr) << names[number];
    EXPECT_EQ(info->name, names[number]);
    EXPECT_EQ(static_cast<std::uint16_t>(info->error), number);
  }
  EXPECT_EQ(named, all_errors().size()) << "raise number_max";
}

TEST(ErrorTable, TextsAreOneLineWithoutAFullStop) {
  for (const ErrorInfo& info : all_errors()) {
    const std::string text = info.text, advice = info.advice;
    ASSERT_FALSE(text.empty()) << info.name;
    ASSERT_FALSE(advice.empty()) << info.name;
    EXPECT_EQ((text + advice).find('\n'), std::string::npos) << info.name;
    EXPECT_NE(text.back(), '.') << info.name;
    EXPECT_NE(advice.back(), '.') << info.name;
    EXPECT_FALSE(std::islower(static_cast<unsigned char>(advice.front()))) << info.name;
  }
}

TEST(ErrorTable, ExitCodesAreThoseOfTheManual) {
  const std::set<int> codes = {1, 2, 3, 4, 5, 6, 7, 9};
  for (const ErrorInfo& info : all_errors()) EXPECT_TRUE(codes.contains(info.exit_code));
  EXPECT_EQ(error_info(Error::bad_topic).exit_code, 2);
  EXPECT_EQ(error_info(Error::unknown_flag).exit_code, 2);
  EXPECT_EQ(error_info(Error::config_syntax).exit_code, 3);
  EXPECT_EQ(error_info(Error::no_node).exit_code, 4);
  EXPECT_EQ(error_info(Error::timed_out).exit_code, 5);
  EXPECT_EQ(error_info(Error::criterion_not_met).exit_code, 6);
  EXPECT_EQ(error_info(Error::reserved_topic).exit_code, 7);
  EXPECT_EQ(error_info(Error::denied).exit_code, 7);
  EXPECT_EQ(error_info(Error::no_subscriber).exit_code, 9);
}

TEST(ErrorTable, AnswersForANumberThatIsNone) {
  EXPECT_EQ(find_error(0), nullptr);
  EXPECT_EQ(find_error(65535), nullptr);
  EXPECT_STREQ(error_info(static_cast<Error>(7777)).name, "unknown");
}

TEST(Failure, SaysIdTextDetailAndAdviceOnOneLine) {
  EXPECT_EQ(error_id(Error::no_node), "ABZ-0401");
  const ErrorInfo& info = error_info(Error::no_node);
  const Failure failure{Error::no_node, "/run/user/1000/abuzz"};
  EXPECT_EQ(failure.message(),
            std::string("ABZ-0401 no node is running: /run/user/1000/abuzz. ") + info.advice);
}

TEST(Failure, WithoutADetailHasNoColon) {
  const Failure failure{Error::closed, {}};
  EXPECT_EQ(failure.message(), "ABZ-0702 it is closed. Connect again");
}

TEST(Failure, EndsADetailOnlyOnce) {
  const Failure question{Error::config_unknown_key, "did you mean node.beat?"};
  EXPECT_NE(question.message().find("node.beat? "), std::string::npos);
  const Failure stop{Error::system, "it stopped."};
  EXPECT_EQ(stop.message().find(".."), std::string::npos);
}

TEST(Failure, OfNobodySubscribesReadsAsASentence) {
  const Failure failure{Error::no_subscriber, "demo.nobody"};
  EXPECT_TRUE(failure.message().starts_with(
      "ABZ-0901 nobody subscribes to it: delivered to no one: demo.nobody. "));
}

TEST(ExitWith, PrintsTheFailureAndExitsWithOne) {
  EXPECT_EXIT(exit_with({Error::no_node, "x"}), ::testing::ExitedWithCode(1), "ABZ-0401");
}

TEST(Result, HoldsAValueOrAFailure) {
  Result<int> good = 4;
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(good.value(), 4);
  Result<int> bad = Failure{Error::closed, "d"};
  EXPECT_FALSE(bad);
  EXPECT_EQ(bad.error(), Error::closed);
  EXPECT_EQ(bad.failure().detail, "d");
}

TEST(Result, ValueOfAFailureExits) {
  EXPECT_EXIT(
      {
        Result<int> bad = Error::timed_out;
        static_cast<void>(bad.value());
      },
      ::testing::ExitedWithCode(1), "ABZ-0703");
}

}  // namespace
}  // namespace abuzz
