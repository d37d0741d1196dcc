//! Chinese words and forms.

use super::{Action, Words};

/// Chinese verbs have one form.
const fn action(verb: &'static str) -> Action {
    Action { base: verb, third: verb, present: verb, past: verb }
}

pub(super) const WORDS: Words = Words {
    forms: [
        "P在LVO。",
        "P在LVO吗？",
        "P没在LVO。",
        "P想在LVO。",
        "P为什么在LVO？",
        "P不想在LVO。",
        "P会在LVO。",
        "P会不会在LVO？",
        "是P在LVO的。",
        "让P在LVO吧！",
        "P从不在LVO。",
        "P正在LVO。",
        "昨天P在LVO。",
        "明天P要在LVO。",
        "P常常在LVO。",
        "听说P在LVO。",
    ],
    persons: [
        "小明", "小红", "小华", "小刚", "小丽", "小军", "小芳", "小强", "小兰", "小龙", "小梅", "小雨",
        "小雪", "小东", "小宁", "小云",
    ],
    actions: [
        action("买"),
        action("卖"),
        action("找"),
        action("画"),
        action("洗"),
        action("拿"),
        action("丢"),
        action("藏"),
        action("看"),
        action("借"),
        action("修"),
        action("送"),
        action("擦"),
        action("数"),
        action("烧"),
        action("搬"),
    ],
    objects: [
        "书", "灯", "信", "椅子", "外套", "篮子", "钟", "戒指", "梯子", "镜子", "地图", "瓶子", "杯子",
        "笛子", "地毯", "石头",
    ],
    locations: ["花园里", "车站", "桥上", "学校后面", "河边", "厨房里", "市场", "门口"],
};
