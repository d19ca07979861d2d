"""Choices: what names an option, what does not, and what is left open; labels of classifications likewise."""

import time

import pytest

from tutelage.evaluation.metrics.choices import choice_accuracy, chosen, label_accuracy, label_of

LETTERS = dict.fromkeys("ABCD", "")
ANIMALS = {"A": "a cat", "B": "a dog", "C": "a dog that barks", "D": "neither of them"}
DUCKS = {"A": "高邮鸭", "B": "北京鸭", "C": "樱桃谷鸭", "D": "绍鸭"}

CLEAR = [
    "B", "b", "(B)", "[B]", "B.", "B)", "Ｂ", "（Ｂ）", "【B】", "**B**", "`B`", '"B"', " B \r\n", "Ⓑ", "$B$",
    "Option B", "option b.", "The answer B", "选B", "选项B", "B项", "B。", "答案：B", "答案: b", "《B》",
    "Answer: B", "Answer: B.", "ANSWER: B", "answer: b", "Answer:B", "**Answer:** (B)", "Answer - B", "Answer\n\nB",
    "The answer is B", "The answer is (B).", "The answer is **B**", "The correct answer is: B", "the answer is b.",
    "The correct option is B because cats meow.", "So, the answer would be B.", "The best choice is option B",
    "The answer to the question is B.", "The answer is therefore B", "The correct answer is clearly option (B).",
    "Let us think. A is a fruit, C is a tree, so the answer is B.", "The answer is not A. The answer is B.",
    "I choose B.", "I would go with option B", "I'd pick (B) here.", "It's B.", "That is B, I think.",
    "B is correct.", "Option B is the correct answer.", "(B) is right, (A) is not.", "B is the best answer",
    "答案是B", "答案为B。", "正确答案是：B", "正确答案：（B）", "因此，选B。", "我选择B", "应选B项", "故选：B",
    "答案是B因为鸭子会游泳", "B正确", "B选项是正确的", "只有B项正确，其余错误", "不是A，选B", "不选A，选B。",
    "\\boxed{B}", "So \\(\\boxed{\\text{B}}\\).", "<answer>B</answer>", "<answer> b </answer>", '{"answer": "B"}',
    "Final answer: B", "A is the correct answer at first sight.\nFinal answer: (B)", "最终答案：B",
    "B\n\nExplanation: A and C are both wrong.", "Cats meow. Dogs bark.\n\nB", "B\r\n\r\nA dog barks.",
    "B. a dog", "B) a dog", "(B) a dog", "B: a dog", "B、北京鸭", "B．北京鸭", "- B. dog",
    "B - dog", "B because dogs bark",
    "Option A is wrong. Option C is wrong. Option B is left.",
    "选项A是错误的，选项C不对，选项B符合", "Surely (B) holds.",
    "答：B", "我认为应该是B", "正确的是B", "排除A和C，所以选B，D不对", "B因为它会游泳", "I would say B.",
    "###B", "<think>A or C</think>B",
    "A) cat B) dog C) horse\nAnswer: B", "The answer is B, A is wrong.",
]  # fmt: skip
OPEN = [
    "", "   ", "。", "?!", "🐶", "I do not know.", "A cat sat on the mat.",
    "A cat", "The answer is A cat.", "I think so",
    "the answer is a dog", "Answer: a dog", "A or B", "A and B", "Answer: A or B", "Answer: A, B", "The answer is A/B",
    "答案是A和B", "选A、B", "AB", "A) cat B) dog", "A. 猫 B. 狗 C. 马", "回答B的问题", "D.C.", "ABCD", "E", "Answer: E",
    "The answer is A. The answer is B.", "\\boxed{A} \\boxed{B}",
    "A. cat\nB. dog\nC. horse\nD. cow", "C++", "Answer: C++", "The answer is C#",
    "B-52 bombers", "A's friend", "Vitamin B",
    "Both A and C are correct.", "Neither A nor B is correct.", "The answer is not B.", "I would not choose B.",
    "Option B is wrong.", "选项B是错误的", "答案不是B", "不选B", "不应选B", "B不正确", "B is not correct",
    "A\nB\nC\nD", "dogs bark", "Basically", "12", "４２", "x" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("answer", CLEAR)
def test_a_letter_is_chosen(answer: str) -> None:
    assert chosen(answer, LETTERS) == "B"
    assert choice_accuracy(answer, "B", options=LETTERS) == 1.0
    assert choice_accuracy(answer, "A", options=LETTERS) == 0.0


@pytest.mark.parametrize("answer", OPEN)
def test_an_unclear_answer_is_left_open(answer: str) -> None:
    assert chosen(answer, LETTERS) is None
    assert all(choice_accuracy(answer, letter, options=LETTERS) == 0.0 for letter in "ABCD")


@pytest.mark.parametrize("answer", ["A", "A.", "(a)", "Answer: A", "The answer is A because it meows", "A is correct",
                                    "A. a cat", "It's A.", "答案是A", "选A", "A\nIt meows."])  # fmt: skip
def test_the_letter_a_is_a_letter_where_it_stands_for_one(answer: str) -> None:
    assert chosen(answer, LETTERS) == "A"


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("A cat", "A"),
        ("a dog.", "B"),
        ("A DOG THAT BARKS", "C"),
        ("The answer is a cat.", "A"),
        ("Some say a dog.\nThe answer is a cat, of course.", "A"),
        ("I believe it is a dog that barks!", "C"),
        ("Not a cat but a dog.", "B"),
        ("Neither of them", "D"),
        ("a cat and a dog", None),
        ("It is not a cat.", None),
        ("A cathedral", None),
        ("B. a cat", "B"),
    ],
)
def test_the_text_of_an_option_names_it(answer: str, letter: str | None) -> None:
    assert chosen(answer, ANIMALS) == letter


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("北京鸭", "B"),
        ("产蛋量最高的是绍鸭。", "D"),
        ("答案是绍鸭，而不是北京鸭", "D"),
        ("不是北京鸭", None),
        ("北京鸭和绍鸭", None),
        ("B、北京鸭", "B"),
        ("鸭", None),
    ],
)
def test_so_does_chinese_text(answer: str, letter: str | None) -> None:
    assert chosen(answer, DUCKS) == letter


def test_letters_are_those_of_the_options() -> None:
    assert chosen("The answer is E", dict.fromkeys("ABCDE", "")) == "E"
    assert chosen("The answer is E", LETTERS) is None
    assert chosen("I think so.", dict.fromkeys("ABCDEFGHI", "")) is None
    assert chosen("same", {"A": "same", "B": "same"}) is None
    assert chosen("B", {}) is None
    assert chosen("0.5", {"A": "-0.5", "B": "0.5"}) == "B"
    assert chosen("it is -0.5", {"A": "-0.5", "B": "0.5"}) is None


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("positive", "positive"),
        ("Positive.", "positive"),
        ("Ｐｏｓｉｔｉｖｅ", "positive"),
        ("Sentiment: **positive**", "positive"),
        ("The review is not positive.", None),
        ("This isn't a positive review but a negative one", "negative"),
        ("It isn’t positive.", None),
        ("positive or negative", None),
        ("very positive", "very positive"),
        ("very positive, positive", None),
        ("positively", None),
        ("", None),
        ("...", None),
    ],
)
def test_a_label_is_named_by_its_words(answer: str, label: str | None) -> None:
    assert label_of(answer, ["positive", "negative", "very positive"]) == label


def test_labels_within_labels_in_chinese_and_of_marks() -> None:
    assert label_of("spam spam", ["spam", "not spam"]) == "spam"
    assert label_of("not spam not spam", ["spam", "not spam"]) == "not spam"
    assert label_of("情感：积极。", ["积极", "消极"]) == "积极"
    assert label_of("并不积极，是消极", ["积极", "消极"]) == "消极"
    assert label_of("+", ["+", "-"]) == "+"
    assert label_of("the c++ one", ["", "+"]) is None
    assert label_accuracy("体育", "体育", labels=["体育", "财经"]) == 1.0
    assert label_accuracy("体育和财经", "体育", labels=["体育", "财经"]) == 0.0


@pytest.mark.parametrize(
    "piece", ["A ", "A, ", "(", "not ", "选", "answer is ", "x", "\n", "答案是", "*", "a", "the answer "]
)
def test_long_answers_take_no_time(piece: str) -> None:
    started = time.process_time()
    chosen(piece * 30_000, ANIMALS)
    label_of(piece * 30_000, ["a cat", "a dog"])
    assert time.process_time() - started < 10
