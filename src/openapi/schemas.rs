//! What the derived schemas leave out.

use utoipa::openapi::{Components, Ref, RefOr, Schema};

use crate::error::{Code, FaultCode};

/// Lists the codes in the schemas of problems and faults.
pub(super) fn describe_problem(components: &mut Components) {
    let codes = Code::ALL.iter().map(|c| {
        format!(
            "- `{}` ({}): {}",
            c.as_str(),
            c.status().as_u16(),
            c.title()
        )
    });
    let codes = codes.collect::<Vec<_>>().join("\n");
    let faults = FaultCode::ALL.iter().map(|c| format!("`{}`", c.as_str()));
    let faults = faults.collect::<Vec<_>>().join(", ");
    for (schema, text) in [
        (
            "Problem",
            format!("Stable name of the kind of problem. More may be added.\n\n{codes}"),
        ),
        (
            "Fault",
            format!("Stable name of the fault's kind, more may be added: {faults}."),
        ),
    ] {
        if let Some(RefOr::T(Schema::Object(object))) = components.schemas.get_mut(schema)
            && let Some(RefOr::T(Schema::Object(code))) = object.properties.get_mut("code")
        {
            code.description = Some(text);
        }
    }
}

/// Puts the description of a member that refers to a schema or is null where the member's own is:
/// the derived one stands beside the reference.
pub(super) fn describe_nullable(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::Object(object)) = schema else {
        return;
    };
    for member in object.properties.values_mut() {
        if let RefOr::T(Schema::OneOf(choice)) = member
            && let Some(RefOr::Ref(reference)) = choice.items.first_mut()
            && !reference.description.is_empty()
        {
            choice.description = Some(std::mem::take(&mut reference.description));
        }
    }
}

/// Gives objects within a merge patch, which are merged in turn, schemas without required members.
pub(super) fn describe_patches(components: &mut Components) {
    let mut partial = Vec::new();
    for (name, schema) in &components.schemas {
        if let (Some(part), RefOr::T(Schema::Object(whole))) = (name.strip_suffix("Input"), schema)
            && !whole.required.is_empty()
        {
            let mut patch = whole.clone();
            patch.required.clear();
            patch.description = Some(format!(
                "Changes to it: members left out stay as they are. Where there is nothing yet, what \
                 `{name}` requires is needed."
            ));
            partial.push((name.clone(), format!("{part}Patch"), patch));
        }
    }
    for (input, name, part) in partial {
        let mut is_used = false;
        let patches = components.schemas.iter_mut();
        for (_, schema) in patches.filter(|(name, _)| name.ends_with("Patch")) {
            let RefOr::T(Schema::Object(patch)) = schema else {
                continue;
            };
            for member in patch.properties.values_mut() {
                if let RefOr::T(Schema::OneOf(choice)) = member
                    && let Some(RefOr::Ref(reference)) = choice.items.first_mut()
                    && reference.ref_location.ends_with(&format!("/{input}"))
                {
                    *reference = Ref::from_schema_name(&name);
                    is_used = true;
                }
            }
        }
        if is_used {
            let part = RefOr::T(Schema::Object(part));
            components.schemas.insert(name, part);
        }
    }
}
