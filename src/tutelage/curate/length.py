"""Whether an answer is as long as its task asks for, in words as people count them in its language."""

import regex

from tutelage.curate.doubts import Doubt, excerpt
from tutelage.text import count_words

_LONGEST = 6_000  # words of an answer; from there on the score falls, to half at twice as many
_TOLD_SHARE = 0.5  # of the words that the prompt asks for; fewer is a doubt
_TOO_SHORT, _FAR_TOO_SHORT = 0.4, 0.7  # costs
# Words that a task needs at the very least, by what is asked for.
_TASKS = (
    (
        30,
        "long text",
        regex.compile(
            r"\b(?:write|compose|create|generate|draft)\b[^.?!\n]{0,40}\b(?:essay|article|story|report"
            r"|blog post|speech|"
            r"letter|book review|cover letter|short story|fairy tale)\b(?! (?:title|idea|prompt|topic|headline"
            r"|name|outline|opening))"
            r"|\b(?:explain|describe|discuss)\b[^.?!\n]{0,60}\bin (?:great )?detail\b"
            r"|(?:写|撰写|创作|编写)[^。，？！\n]{0,16}(?:文章|作文|故事|论文|报告|演讲稿|小说|散文|评论文章"
            r"|求职信)(?!的?(?:标题|题目|大纲|开头|结尾|名))"
            r"|详细(?:地)?(?:解释|说明|描述|介绍|阐述|讨论)",
            regex.IGNORECASE,
        ),
    ),
    (
        5,
        "explanation",
        regex.compile(
            r"\b(?:explain (?:how|why|what|the)|describe (?:how|the process|the difference)|discuss|why (?:is"
            r"|are|do|does|did)|"
            r"write (?:a|an|one) (?:paragraph|poem|email|summary|essay|dialogue|review))\b"
            r"|解释|阐述|论述|为什么|(?:写|撰写)一(?:段|首|封)",
            regex.IGNORECASE,
        ),
    ),
)
# Short texts that are asked for about long ones, and work on a text that is given.
_SMALL = regex.compile(
    r"\b(?:titles?|headlines?|sentences?|tweets?|outlines?|phrases?|captions?|slogans?|names?|ideas?|topics?"
    r"|taglines?|"
    r"summar\w+|questions?|starters?|openings?|hooks?|keywords?|figures? of speech|mad libs|given|following"
    r"|this|haiku|"
    r"letter words?|rewrite|edit|brief(?:ly)?|short(?:ly)?|two|three|one[- ](?:word|line)\w*|prompts?|plots?"
    r"|themes?|subject|premise)\b"
    r"|标题|题目|句|推文|大纲|提纲|口号|标语|总结|摘要|概括|概述|问题|改写|关键词|开头|结尾|名字|名称|主题|简短|简要|简单|一词|词语|以下|下面|这|给定|\d+\s*个?字",
    regex.IGNORECASE,
)
_HEAD = 400  # characters of a prompt in which the task stands
_WORDS_EN = regex.compile(
    r"(?<!this )(?<!the )(?<!given )(?<![-–] ?)(?<!than )(?<!to )(?<!most )"
    r"(?<!under )(?<!within )(?<!in )\b(\d{2,4})[- ]words?\b(?! or (?:less|fewer))",
    regex.IGNORECASE,
)
_WORDS_ZH = regex.compile(r"(?<![过多–-])(?<![到至~～] ?)(\d{2,4})\s*(?:个)?字(?!以内|以下|之内|内|符)")
_LIMIT = regex.compile(
    r"\b(?:less than|fewer than|no more than|at most|up to|under|maximum|within|limit)\b|不超过|最多|以内|少于|限",
    regex.IGNORECASE,
)


def length_doubts(prompt: str, answer: str) -> tuple[Doubt, ...]:
    """Doubts about the length of one answer: "empty answer", "too short", "far too long".

    Short answers are right for most tasks; only where the prompt asks for a number of words, for a long kind of text
    or for an explanation, fewer words are a doubt. An answer is far too long from 6,000 words on.
    """
    count = count_words(answer)
    if not answer.strip():
        return (Doubt("empty answer", "no character", 1.0),)
    if count > _LONGEST:
        return (Doubt("far too long", f"{count:,} words", 1 - _LONGEST / count),)
    wanted, task = _wanted(prompt[:_HEAD])
    if count >= wanted or _quoted(answer):
        return ()
    cost = _FAR_TOO_SHORT if count < wanted / 4 else _TOO_SHORT
    return (Doubt("too short", f"{count} words for {task}: {excerpt(answer, characters=30)}", cost),)


def _wanted(head: str) -> tuple[int, str]:
    """Words that the task needs at least, and what it is."""
    told = _WORDS_EN.search(head) or _WORDS_ZH.search(head)
    if told and not _LIMIT.search(head):
        number = int(told[1])
        return int(_TOLD_SHARE * number), f"{number} words that were asked for"
    first = head.split("\n", 1)[0]
    if _SMALL.search(first):
        return 0, ""
    return next(((least, task) for least, task, pattern in _TASKS if pattern.search(first)), (0, ""))


def _quoted(answer: str) -> bool:
    """Links, formulas and code answer in few words."""
    return any(mark in answer for mark in ("://", "```", "=", "{"))
